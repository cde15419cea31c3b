#!/bin/sh
# Verifies an evidence bundle with openssl, unzip and coreutils: sh verify.sh BUNDLE.zip; no network, no account.
# It looks at each member, the seal, and every signature and timestamp of the PDFs; it does not recompute the journal,
# re-derive intent proofs or judge revocation: verify.py does the first two. SM2 is marked [??] where openssl cannot.
# Exit status: 0 verified, 1 not or not all, 2 usage.
set -u
export LC_ALL=C.UTF-8
[ $# -eq 1 ] && [ -f "$1" ] || { echo "用法 / usage: sh verify.sh BUNDLE.zip"; exit 2; }
for program in openssl unzip sha256sum sed sort head tail; do
    command -v "$program" >/dev/null || { echo "缺少 / missing: $program"; exit 2; }
done
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
failed=0
bad() { echo "[!!] $1: $2"; failed=1; }
good() { echo "[OK] $1: $2"; }
# What this openssl cannot read is neither good nor bad: whoever has verify.py asks that.
uses_sm2() { od -An -v -tx1 "$1" | tr -d ' \n' | grep -q 2a811ccf55; }
unknown=0
unjudged() { echo "[??] $1: 国密 SM2，此 openssl 无法判断，请用 verify.py; SM2, which this openssl cannot judge: use verify.py"; unknown=1; }
finish() {
    if [ $failed -eq 1 ]; then
        echo "验证未通过 NOT VERIFIED"
    elif [ $unknown -eq 1 ]; then
        echo "未能全部验证 NOT ALL COULD BE JUDGED"
    else
        echo "验证通过 VERIFIED"
    fi
    exit $((failed | unknown))
}

# --- the zip: unique plain names, nothing before, between or behind the members --------------------------------------
unzip -Z1 "$1" >"$folder/names" 2>/dev/null || { bad zip "无法读取 unreadable"; finish; }
[ -z "$(sort "$folder/names" | uniq -d)" ] || bad "$(sort "$folder/names" | uniq -d | head -n 1)" "重复 stands there twice"
if grep -Eqv '^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$' "$folder/names"; then
    bad zip "成员名称异常 a member has an odd name"
fi
[ $failed -eq 0 ] || finish
mkdir "$folder/in"
unzip -qo "$1" -d "$folder/in" >/dev/null 2>"$folder/errors" || {
    broken=$(sed -n 's|^ *\(.*[^ ]\)  *bad CRC.*|\1|p' "$folder/errors" | head -n 1 | sed "s|^.*/in/||")
    bad "${broken:-zip}" "压缩包损坏 damaged in the zip"
    finish
}
expected=22
while read -r name; do
    size=$(wc -c <"$folder/in/$name")
    expected=$((expected + 76 + 2 * ${#name} + size))
done <"$folder/names"
[ "$(wc -c <"$1")" -eq "$expected" ] || bad zip "成员之外另有内容 there are bytes outside the members"

# --- the manifest: signed, stamped, and true of every member ---------------------------------------------------------
cd "$folder/in" || exit 2
for name in manifest.json manifest.p7s manifest.tsr; do [ -f $name ] || { bad $name "缺少 missing"; finish; }; done
cat anchors/*.pem >"$folder/anchors.pem" 2>/dev/null
cat certificates/*.pem anchors/*.pem >"$folder/certificates.pem" 2>/dev/null
cms() { # content, message, further options
    content=$1 message=$2
    shift 2
    openssl cms -verify -binary -inform DER -in "$message" -content "$content" "$@" -CAfile "$folder/anchors.pem" \
        -purpose any -certfile "$folder/certificates.pem" -no_check_time -out /dev/null >/dev/null 2>"$folder/errors"
}
stamped() { # content, token, further options
    content=$1 token=$2
    shift 2
    openssl ts -verify -data "$content" -in "$token" "$@" -CAfile "$folder/anchors.pem" \
        -untrusted "$folder/certificates.pem" -no_check_time >/dev/null 2>"$folder/errors"
}
why() { sed -n 's/.*:\([a-z][a-z A-Z0-9]*\)\(:.*\)\{0,1\}$/\1/p' "$folder/errors" | head -n 1; }
# The signature over the list comes first, whoever made it; whether he is to be trusted shows once the anchors are sound.
if ! cms manifest.json manifest.p7s -noverify; then
    ! uses_sm2 manifest.p7s || { unjudged manifest.p7s && finish; }
    if stamped manifest.p7s manifest.tsr; then at_fault=manifest.json; else at_fault=manifest.p7s; fi
    bad $at_fault "清单与其签名不符 the manifest and its signature do not agree ($(why))"
    finish
fi
sed -n 's|^ *{"name": "\([^"]*\)", "sha256": "\([0-9a-f]*\)", "size": [0-9]*},\{0,1\}$|\2  \1|p' manifest.json >"$folder/sums"
{
    sed 's/^[0-9a-f]*  //' "$folder/sums"
    printf '%s\n' manifest.json manifest.p7s manifest.tsr
} | sort >"$folder/wanted"
sort "$folder/names" >"$folder/found"
for name in $(comm -13 "$folder/wanted" "$folder/found"); do bad "$name" "清单中没有 not in the manifest"; done
for name in $(comm -23 "$folder/wanted" "$folder/found"); do bad "$name" "缺少 missing"; done
while read -r sum name; do
    [ -f "$name" ] && [ "$(sha256sum <"$name" | cut -d' ' -f1)" != "$sum" ] && bad "$name" "内容被改动 altered: SHA-256 differs"
done <"$folder/sums"
[ $failed -eq 0 ] || finish
if ! stamped manifest.p7s manifest.tsr; then
    case $(why) in *imprint*) at_fault=manifest.p7s ;; *) at_fault=manifest.tsr ;; esac
    bad $at_fault "时间戳不成立 the timestamp does not hold ($(why))"
fi
cms manifest.json manifest.p7s || bad manifest.p7s "封签者的证书不能追溯到信任锚 its signer leads to no anchor ($(why))"
[ $failed -eq 0 ] || finish
good manifest.json "全部成员的摘要相符，封签与时间戳成立 all digests agree; seal and timestamp hold"

# --- signatures and timestamps of the PDFs ---------------------------------------------------------------------------
while read -r file _ length again rest kind message tokens; do
    { head -c "$length" "$file"; tail -c "+$((again + 1))" "$file" | head -c "$rest"; } >"$folder/content"
    if [ "$kind" = timestamp ]; then
        if stamped "$folder/content" "$message" -token_in; then
            good "$message" "文档时间戳成立 the document timestamp holds"
        elif uses_sm2 "$message"; then
            unjudged "$message"
        else
            bad "$message" "文档时间戳不成立 the document timestamp does not hold ($(why))"
        fi
        continue
    fi
    if cms "$folder/content" "$message"; then
        good "$message" "签名成立 the signature holds ($file)"
    elif uses_sm2 "$message"; then
        unjudged "$message"
    else
        bad "$message" "签名不成立 the signature does not hold ($(why))"
    fi
done <signatures/ranges.txt
echo "[--] anchors: 请与机构公布的指纹核对 compare with what the CA publishes:"
for anchor in anchors/*.pem; do openssl x509 -in "$anchor" -noout -subject -fingerprint -sha256 -nameopt utf8; done
finish

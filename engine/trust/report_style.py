"""The page around a verdict: one file without scripts and without anything from elsewhere."""

PAGE = """<!doctype html>
<html lang="zh">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>验证报告 Verification report · $name</title>
<style>
:root { --ink: #1d2430; --soft: #5b6675; --line: #dfe3e8; --paper: #fff; --ground: #f3f4f6;
  --good: #176a3a; --bad: #a3201d; --unsure: #8a5a00; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.65 "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", system-ui, sans-serif; }
main { max-width: 860px; margin: 0 auto; padding: 32px 20px 64px; }
header p { margin: 0; color: var(--soft); }
h1 { font-size: 22px; margin: 0 0 4px; }
h2 { font-size: 17px; margin: 0 0 12px; display: flex; flex-wrap: wrap; gap: 4px 10px; align-items: center; }
h2 i { font-style: normal; font-size: 13px; width: 24px; height: 24px; border-radius: 12px; background: var(--ink);
  color: #fff; display: grid; place-items: center; flex: none; }
.seal, .card { background: var(--paper); border: 1px solid var(--line); border-left-width: 6px;
  border-radius: 8px; padding: 20px 24px; margin: 20px 0; }
.seal.unsure, .card.unsure { border-left-color: var(--unsure); }
.seal.good, .card.good { border-left-color: var(--good); }
.seal.bad, .card.bad { border-left-color: var(--bad); }
.seal > b { display: block; font-size: 24px; line-height: 1.35; }
.seal.good > b, td .good, p.good { color: var(--good); }
.seal.bad > b, td .bad, p.bad { color: var(--bad); }
.seal.unsure > b, td .unsure, p.unsure { color: var(--unsure); }
.seal p { margin: 8px 0 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 6px 0; border-top: 1px solid var(--line); }
tr:first-child > * { border-top: 0; }
th { width: 200px; padding-right: 16px; font-weight: 500; color: var(--soft); }
td { overflow-wrap: anywhere; }
ul { margin: 0; padding-left: 18px; }
code { font: 13px/1.6 "Noto Sans Mono", ui-monospace, monospace; overflow-wrap: anywhere; }
small { color: var(--soft); }
[lang=en] { color: var(--soft); font-size: .9em; }
b > [lang=en], .good > [lang=en], .bad > [lang=en], .unsure > [lang=en] { color: inherit; opacity: .8; }
.seal > b > [lang=en] { display: block; font-size: 16px; font-weight: 500; }
figure { margin: 16px 0 0; break-inside: avoid; }
figure img { width: 100%; height: auto; border: 1px solid var(--line); }
figcaption { color: var(--soft); font-size: 13px; }
footer { color: var(--soft); font-size: 13px; }
@media (max-width: 600px) { th, td { display: block; width: auto; } td { border-top: 0; padding-top: 0; } }
@media print { body { background: #fff; } main { padding: 0; max-width: none; } .card, .seal { break-inside: avoid; } }
</style>
</head>
<body><main>
<header><h1><span lang="zh">电子签名验证报告</span> <span lang="en">Verification of electronic signatures</span></h1>
<p>$name</p></header>
<div class="seal $tone"><b>$verdict</b><p>$meaning</p>$trust<p>$level</p></div>
<section class="card"><h2><span lang="zh">被验证的文件</span> <span lang="en">The file that was checked</span></h2>
<table>
<tr><th><span lang="zh">文件名</span> <span lang="en">Name</span></th><td>$name</td></tr>
<tr><th><span lang="zh">大小</span> <span lang="en">Size</span></th><td>$size <span lang="zh">字节</span>
 <span lang="en">bytes</span></td></tr>
<tr><th>SHA-256</th><td><code>$digest</code></td></tr>
<tr><th><span lang="zh">验证时间</span> <span lang="en">Checked at</span></th><td>$checked</td></tr>
<tr><th><span lang="zh">签名与时间戳</span> <span lang="en">Signatures and timestamps</span></th><td>$count</td></tr>
</table></section>
$advice$findings$signatures$changes
<section class="card"><h2><span lang="zh">其他软件显示“有效性未知”时</span>
 <span lang="en">When other software says “validity unknown”</span></h2>
<p lang="zh">Adobe Acrobat 等软件只信任自带名单（AATL、EUTL）里的根证书。签发机构不在名单上，或软件当时连不上吊销查询
和时间戳服务，就显示“有效性未知”；这不表示文件被改动。认可该签发机构的，可把它的根证书加入软件的受信任证书后重新打开。
显示“已被更改或损坏”则是另一回事：此时以上面“结论”和“此后的变化”为准。浏览器自带的阅读器不验证签名。</p>
<p lang="en">Adobe Acrobat and similar programs trust only the roots on their own lists (AATL, EUTL). If the issuer is
not on them, or the program cannot reach revocation and timestamp services, it says “validity unknown”; that does not
mean the file was changed. Whoever accepts the issuer can add its root to the trusted certificates of the program and
open the file again. “Altered or corrupted” is another matter: see “Verdict” and “Later changes” above. Viewers built
into browsers do not verify signatures.</p></section>
<footer>
<p lang="zh">本报告只说明文件、签名和证书在上述时间的技术状态。计算收到文件的 SHA-256，
与上面的值相同，即为本报告所指的文件。
“已证明”的时间来自受信任的时间戳机构；自报时间没有这种效力。</p>
<p lang="en">This report states the technical condition of file, signatures and certificates at the time above. A file
with the SHA-256 given above is the one this report is about. A “proven” time comes from a trusted timestamp authority;
a claimed time has no such weight.</p>
</footer>
</main></body></html>
"""

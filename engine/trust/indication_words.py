"""Says in Chinese and English what a status of EN 319 102-1 means, and what a person can do about it."""

from __future__ import annotations

from engine.language import Text
from engine.trust.indications import Indication, SubIndication

INDICATIONS = {
    Indication.PASSED: Text(
        "验证通过：签名、内容、签名人证书和时间全部核实", "Passed: content, certificate and times all hold"
    ),
    Indication.FAILED: Text("验证失败：签名不成立", "Failed: the signature does not hold"),
    Indication.INDETERMINATE: Text(
        "未能确定：既不能认定有效，也不能认定无效", "Undetermined: neither shown to hold nor shown to fail"
    ),
}

MEANINGS: dict[SubIndication, tuple[Text, Text]] = {
    SubIndication.FORMAT_FAILURE: (
        Text("签名数据不符合规范，无法作为签名处理。", "The signature data breaks the rules and cannot be processed."),
        Text("向签署方索取未经处理的原文件。", "Ask the signer for the file as it was before any processing."),
    ),
    SubIndication.HASH_FAILURE: (
        Text("受保护的内容与签署时不同：签署后有字节被改动。", "Protected bytes differ from what was signed."),
        Text("不要采信此文件；向对方索取原件比对。", "Do not rely on this file; compare it with the original."),
    ),
    SubIndication.SIG_CRYPTO_FAILURE: (
        Text("签名值与签名人的证书对不上。", "The signature value does not fit the signer's certificate."),
        Text("不要采信此签名。", "Do not rely on this signature."),
    ),
    SubIndication.REVOKED: (
        Text("证书在签署之前已被吊销。", "The certificate had been revoked before the signature was made."),
        Text("不要采信此签名；联系签署人重新签署。", "Do not rely on this signature; have it signed again."),
    ),
    SubIndication.EXPIRED: (
        Text("签署时证书已经过期。", "The certificate had ended when the signature was made."),
        Text("联系签署人用有效证书重新签署。", "Have it signed again with a certificate in force."),
    ),
    SubIndication.NOT_YET_VALID: (
        Text("签名在证书生效之前就已存在。", "The signature existed before its certificate was in force."),
        Text("不要采信此签名；查明签署经过。", "Do not rely on this signature; find out how it came about."),
    ),
    SubIndication.SIG_CONSTRAINTS_FAILURE: (
        Text(
            "签名本身成立，但文件此后被改动或未被完整覆盖。",
            "The signature itself holds, yet the file was changed later or is not wholly covered.",
        ),
        Text(
            "导出该签名所签的版本，以那个版本的内容为准。",
            "Take out the revision that was signed; only that content was signed.",
        ),
    ),
    SubIndication.CHAIN_CONSTRAINTS_FAILURE: (
        Text("证书不得用于此用途。", "The certificate may not be used for this purpose."),
        Text("向签发机构核实证书的用途。", "Ask the issuing authority what the certificate is for."),
    ),
    SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE: (
        Text("证书链无法核实。", "The chain of certificates cannot be verified."),
        Text("向签发机构索取完整的证书链。", "Ask the issuing authority for its whole chain."),
    ),
    SubIndication.CRYPTO_CONSTRAINTS_FAILURE: (
        Text("签名使用的算法不可识别或强度不足。", "The algorithm is unknown or was too weak when it was used."),
        Text("请使用支持该算法的软件核验，或重新签署。", "Check it with software that knows it, or sign anew."),
    ),
    SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE: (
        Text(
            "签名使用的算法今天已不安全，且没有时间戳证明它签于算法安全之时。",
            "The algorithm is no longer safe, and no timestamp shows that the signature is older than that.",
        ),
        Text("寻找带时间戳的版本，或重新签署。", "Look for a copy with a timestamp, or have it signed again."),
    ),
    SubIndication.TIMESTAMP_ORDER_FAILURE: (
        Text(
            "几个时间戳的先后与文件中的先后矛盾。",
            "The timestamps contradict their order in the file.",
        ),
        Text("向时间戳机构核实。", "Ask the timestamp authorities."),
    ),
    SubIndication.NO_SIGNING_CERTIFICATE_FOUND: (
        Text("签名没有附带签名人的证书。", "The signature comes without its signer's certificate."),
        Text("向签署方索取证书或原文件。", "Ask the signer for the certificate or the original file."),
    ),
    SubIndication.NO_CERTIFICATE_CHAIN_FOUND: (
        Text(
            "证书不能追溯到验证时所信任的机构；这与内容是否被改动无关。",
            "The certificate leads to nobody trusted in this check; that says nothing about changed content.",
        ),
        Text(
            "若认可该签发机构，把它的根证书放入信任锚文件夹后重新验证。",
            "If you accept that authority, put its root certificate into the folder of anchors and check again.",
        ),
    ),
    SubIndication.REVOKED_NO_POE: (
        Text(
            "证书已被吊销，且没有可信时间证明签名早于吊销。",
            "The certificate was revoked, and no trusted time shows that the signature is older.",
        ),
        Text("寻找带时间戳的版本；否则不要采信。", "Look for a copy with a timestamp; otherwise do not rely on it."),
    ),
    SubIndication.REVOKED_CA_NO_POE: (
        Text("签发机构的证书已被吊销。", "The certificate of an issuing authority was revoked."),
        Text("寻找吊销之前的时间戳；否则不要采信。", "Look for a timestamp from before; otherwise do not rely on it."),
    ),
    SubIndication.OUT_OF_BOUNDS_NO_POE: (
        Text(
            "证书在判定的时间不在有效期内，且没有可信时间证明签名在有效期内存在。",
            "The certificate is not in force at the time judged for, and no trusted time places the signature within.",
        ),
        Text("寻找带时间戳的版本。", "Look for a copy with a timestamp."),
    ),
    SubIndication.SIGNED_DATA_NOT_FOUND: (
        Text("签名所保护的一部分内容不在文件中。", "A part of what was signed is not in the file."),
        Text("文件可能没有传完；重新获取。", "The file may be cut off; get it again."),
    ),
    SubIndication.TRY_LATER: (
        Text(
            "证书可信，但没有任何信息说明它当时是否已被吊销。",
            "The certificate is trusted, yet nothing says whether it had been revoked.",
        ),
        Text(
            "联网后再验证一次，或索取含验证数据的存档版本（B-LT、B-LTA）。",
            "Check again with network access, or ask for the archived copy with validation data (B-LT, B-LTA).",
        ),
    ),
    SubIndication.GENERIC: (
        Text("签名格式不受支持，无法判断。", "The format of the signature is not supported."),
        Text("用签署方指定的软件验证。", "Check it with the software the signer names."),
    ),
}
"""What it means, what to do."""

"""Draws the evidence page (签约存证页): Chinese only, A4, from frozen facts; it says what is proven and what is not.

Runs in a limited child: names and certificates come out of foreign files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import segno
from pikepdf import Name, String

from engine.contracting import wording as say
from engine.contracting.dossier import Dossier
from engine.contracting.extraction import Parts, SignaturePart
from engine.contracting.offline.certificates import Certificate
from engine.contracting.offline.messages import Token
from engine.contracting.typesetting import BODY, FOOT, INNER, LABEL, MARGIN, RED, SMALL, TITLE, WIDTH, Sheet, Type
from engine.pdf.control import Control
from engine.pdf.declaration import declare, save
from engine.pdf.page_boxes import Box
from engine.pdf.signature_fields import Area, add_fields
from engine.trust.verdict import Integrity, Report, SignatureVerdict

FIELD = "平台存证签名"
"""The signature field of the page."""
_FIELD_SIZE = (150.0, 44.0)
_CAUTION = Type(colour=RED)
_DIGITS = Type(8.2)
_HOLDS = (Integrity.VALID, Integrity.EXTENDED)


@dataclass(frozen=True, slots=True)
class Material:
    """What the page is drawn from; ``parts`` and ``reports``: of each contract, in order."""

    dossier: Dossier
    values: dict[str, Any]
    parts: tuple[Parts, ...]
    reports: tuple[Report, ...]


def draw_page(material: Material, target: Path) -> None:
    """Write the unsigned page with its empty signature field; equal material gives equal bytes."""
    sheet = Sheet()
    _draw_head(sheet, material)
    _draw_contract(sheet, material)
    _draw_parties(sheet, material)
    _draw_reliability(sheet, material)
    _draw_times(sheet, material)
    _draw_revisions(sheet, material)
    _draw_journal(sheet, material)
    _draw_instructions(sheet, material)
    place = _draw_field(sheet)
    for page in range(sheet.page_count):
        words = f"签约存证页 {material.dossier.serial}　第 {page + 1} 页，共 {sheet.page_count} 页"
        sheet.centred(FOOT - 26, words, SMALL, page)
    pdf = sheet.finish()
    add_fields(pdf, [Area(Control(name=FIELD, kind="signature"), sheet.page_count, place)])
    pdf.docinfo[Name.Title] = String(f"签约存证页 {material.dossier.serial}")
    declare(pdf)
    save(pdf, target)


def _draw_head(sheet: Sheet, material: Material) -> None:
    dossier, side = material.dossier, 62.0
    code = segno.make(f"SEALFLOW EVIDENCE {dossier.serial} SHA-256 {dossier.head[0]}", error="m", micro=False)
    top = sheet.y
    sheet.modules([list(row) for row in code.matrix], WIDTH - MARGIN - side, top + 4, side)
    sheet.y -= 26
    sheet.text(MARGIN, sheet.y, "签约存证页", TITLE)
    sheet.y -= 19
    sheet.text(MARGIN, sheet.y, f"存证编号　{dossier.serial}", LABEL)
    sheet.y -= 13
    sheet.text(MARGIN, sheet.y, "右侧二维码为存证编号与合同文件的 SHA-256 摘要", SMALL)
    sheet.y -= 10
    sheet.rule(MARGIN, sheet.y, INNER, (0.09, 0.23, 0.45), 1.2)


def _draw_contract(sheet: Sheet, material: Material) -> None:
    dossier = material.dossier
    sheet.heading("一、合同")
    definition = dossier.pipeline["definition"] or {}
    sheet.pair("合同名称", str(definition.get("title") or dossier.label or dossier.run))
    sheet.pair("合同编号", say.contract_number(material.values) or "未填写")
    sheet.pair("来源文件", "、".join(source["name"] for source in dossier.sources))
    sheet.pair("任务编号", dossier.run)
    sheet.pair("流程", f"{definition.get('name', '')} 第 {definition.get('version', '')} 版")
    for digest, parts, report in zip(dossier.head, material.parts, material.reports, strict=True):
        sheet.pair("文件摘要", f"SHA-256　{say.grouped(digest)}", _DIGITS)
        sheet.pair("页数与大小", f"{parts.pages} 页，{say.size_of(report.size)}")
        sheet.pair("验证结论", say.say_verdict(report.integrity, report.trust))
    requested, achieved = (dossier.facts.get(f"level_{name}") for name in ("requested", "achieved"))
    sheet.pair("签名级别", f"要求 {requested or '未记录'}，达到 {achieved or '未记录'}（PAdES，ETSI EN 319 142-1）")
    sheet.pair("提交与完成", f"{say.say_time(dossier.submitted_at)} 至 {say.say_time(dossier.finished_at)}（平台时钟）")
    if not material.values:
        return
    shown = say.identifying(material.values)
    listed = "\n".join(f"{name}：{value}" for name, value in shown.items())
    sheet.pair("填写的身份信息", listed or "没有可识别身份的填写项")


def _draw_parties(sheet: Sheet, material: Material) -> None:
    sheet.heading("二、签约方")
    signers = list(_signers(material))
    if not signers:
        sheet.paragraph("合同中没有电子签名。", _CAUTION)
    for number, (part, verdict) in enumerate(signers, 1):
        facts = material.dossier.facts.get(f"signature:{part.field}") or {}
        certificate = _certificate(part, verdict)
        sheet.card(
            f"{number}．{certificate.name if certificate else '证书未写明姓名'}",
            f"签名域“{part.field}”　签约方 {facts.get('party', '未记录')}",
        )
        _draw_identity(sheet, material, certificate.name if certificate else "")
        _draw_intent(sheet, material.dossier.intents.get(part.field))
        _draw_signing_time(sheet, verdict)
        _draw_certificate(sheet, certificate, verdict)
        sheet.pair("算法", verdict.algorithm or "未知")
        level = verdict.level or "不是 PAdES 签名"
        sheet.pair("级别与结论", f"{level}；{say.say_verdict(verdict.integrity, verdict.trust)}")


def _draw_identity(sheet: Sheet, material: Material, name: str) -> None:
    names = say.names_in(material.values, name)
    if names:
        sheet.pair("身份核对", f"证书姓名与填写项“{'”“'.join(names)}”一致；身份由证书签发机构在发证时核验")
    elif not material.values:
        sheet.pair("身份核对", "没有填写项可供比对；身份由证书签发机构在发证时核验")
    else:
        sheet.pair("身份核对", "证书姓名与任何填写项都不一致；身份由证书签发机构在发证时核验", _CAUTION)


def _draw_intent(sheet: Sheet, proof: dict[str, Any] | None) -> None:
    if proof is None:
        sheet.pair("意愿确认", "没有记录意愿证明", _CAUTION)
        return
    unattended = proof.get("factor") == say.UNATTENDED
    sheet.pair("意愿确认", say.say_factor(str(proof.get("factor"))), _CAUTION if unattended else BODY)
    reference = say.mask_numbers(str(proof.get("reference", ""))) if not unattended else proof.get("reference", "")
    sheet.pair(
        "确认记录",
        f"服务方 {proof.get('vendor', '未记录')}，流水号 {reference}，时间 {_moment(proof.get('passed_at'))}",
    )
    sheet.pair(
        "所确认的文件",
        f"合同的前 {proof.get('size', '?')} 字节，SHA-256\n{say.grouped(str(proof.get('document')))}",
        _DIGITS,
    )


def _draw_signing_time(sheet: Sheet, verdict: SignatureVerdict) -> None:
    proven = [
        f"{say.say_time(stamp.at)}（时间戳，授时机构 {say.say_name(stamp.authority)}）" for stamp in verdict.stamps
    ]
    if proven:
        sheet.pair("签署时间", f"不晚于 {min(proven)}")
    else:
        sheet.pair("签署时间", "没有时间戳证明", _CAUTION)
    claimed = say.say_time(verdict.claimed_at) if verdict.claimed_at else "未写明"
    sheet.pair("自称的时间", f"{claimed}（来自签署设备的时钟，仅为声称）")


def _draw_certificate(sheet: Sheet, certificate: Certificate | None, verdict: SignatureVerdict) -> None:
    sheet.pair("证书主体", say.say_name(verdict.signer or "未知"))
    sheet.pair("证书签发者", say.say_name(verdict.issuer or "未知"))
    sheet.pair("证书序列号", verdict.serial or "未知", _DIGITS)
    if certificate is not None:
        sheet.pair("证书有效期", f"{say.say_time(certificate.begins)} 至 {say.say_time(certificate.ends)}")
    sheet.pair("证书指纹", f"SHA-256　{say.grouped(verdict.certificate or '')}", _DIGITS)


def _draw_reliability(sheet: Sheet, material: Material) -> None:
    """Electronic Signature Law of the PRC, article 13: four properties, each with its proof or what it lacks."""
    signers = list(_signers(material))
    certificates = [_certificate(*signer) for signer in signers]
    names = "、".join(dict.fromkeys(one.name if one else "未写明" for one in certificates))
    proofs = material.dossier.intents
    asked = [
        part.field for part, _ in signers if part.field in proofs and proofs[part.field].get("factor") != say.UNATTENDED
    ]
    others = [part.field for part, _ in signers if part.field not in asked]
    keys = len({verdict.certificate for _, verdict in signers})
    own = f"{len(signers)} 个签名用了 {keys} 张证书的私钥，证书主体为 {names}；私钥由谁保管见证书签发机构的规则"
    control = "；".join(
        filter(
            None,
            (
                f"“{'”“'.join(asked)}”：密钥只凭一次性意愿凭证使用，凭证绑定文件摘要，其摘要写在签名内"
                if asked
                else "",
                f"“{'”“'.join(others)}”：没有询问签约方本人，平台不能证明当时仅由其控制" if others else "",
            ),
        )
    )
    held = sum(verdict.integrity in _HOLDS for _, verdict in signers)
    values = f"{len(signers)} 个签名中 {held} 个经核验成立；签名、证书或已签属性的任何改动都会使核验失败"
    report = material.reports[0]
    content = (
        f"签名按字节覆盖文件，末次签名或时间戳覆盖至第 {report.size:,} 字节；"
        f"结论：{say.say_verdict(report.integrity, report.trust)}"
    )
    sheet.heading("三、《电子签名法》第十三条的四项条件")
    rows = (
        ("（一）制作数据专有", "电子签名制作数据用于电子签名时，属于电子签名人专有", own, BODY),
        ("（二）签署时控制", "签署时电子签名制作数据仅由电子签名人控制", control, _CAUTION if others else BODY),
        (
            "（三）签名防篡改",
            "签署后对电子签名的任何改动能够被发现",
            values,
            BODY if held == len(signers) else _CAUTION,
        ),
        (
            "（四）内容防篡改",
            "签署后对数据电文内容和形式的任何改动能够被发现",
            content,
            BODY if report.integrity in _HOLDS else _CAUTION,
        ),
    )
    for title, condition, proof, type_ in rows:
        sheet.row((title, condition), (96, INNER - 104), (LABEL, LABEL), ruled=False)
        sheet.row(("", proof), (96, INNER - 104), (LABEL, type_))


def _draw_times(sheet: Sheet, material: Material) -> None:
    sheet.heading("四、时间戳")
    widths = (112.0, 128.0, 128.0, INNER - 376)
    sheet.row(("对象", "时间", "授时机构", "序列号"), widths, (SMALL,) * 4)
    count = 0
    for parts in material.parts:
        for part in parts.signatures:
            for token in (part.message,) if part.kind == "timestamp" else part.tokens:
                stamp = Token(token)
                what = "整份文件" if part.kind == "timestamp" else f"签名“{part.field}”"
                cells = (what, say.say_time(stamp.at), stamp.message.signer.name, f"{stamp.serial:x}")
                sheet.row(cells, widths, (BODY, BODY, BODY, _DIGITS))
                count += 1
    if not count:
        sheet.paragraph("没有时间戳：以上时间都只是声称。", _CAUTION)


def _draw_revisions(sheet: Sheet, material: Material) -> None:
    sheet.heading("五、各版本的摘要")
    sheet.paragraph("文件只在末尾追加。取其前若干字节计算 SHA-256，即得当时的版本：", SMALL)
    widths = (96.0, 64.0, INNER - 168)
    for parts in material.parts:
        for index, revision in enumerate(parts.revisions):
            last = "归档数据" if index else "签署前的版本"
            what = f"“{revision.field}”" if revision.field else last
            sheet.row((what, f"{revision.size:,}", say.grouped(revision.digest)), widths, (BODY, BODY, _DIGITS))


def _draw_journal(sheet: Sheet, material: Material) -> None:
    dossier = material.dossier
    sheet.heading("六、过程日志")
    sheet.paragraph(
        f"以下为本任务在平台审计日志中的 {len(dossier.entries)} 条记录（平台时钟）。日志是一条哈希链，"
        f"出证时链头为第 {dossier.journal['seq']} 条，摘要 {dossier.journal['digest']}；其后每条都依赖于它。",
        SMALL,
    )
    widths = (44.0, 130.0, INNER - 310, 128.0)
    sheet.row(("序号", "时间", "事件", "摘要（前 16 位）"), widths, (SMALL,) * 4)
    for entry in dossier.entries:
        at = say.say_time(say.instant(entry.microseconds))
        words = say.say_event(entry.event, json.loads(entry.detail))
        sheet.row((str(entry.seq), at, words, entry.digest[:16]), widths, (_DIGITS, _DIGITS, _DIGITS, _DIGITS))


def _draw_instructions(sheet: Sheet, material: Material) -> None:
    sheet.heading("七、怎样验证")
    serial = material.dossier.serial
    for line in (
        f"1．本页与合同收在同一存证包（编号 {serial}）内。无需联网、账号或专用软件：取出包内的 verify.py，"
        "运行 python3 -I verify.py 存证包.zip；或取出 verify.sh，运行 sh verify.sh 存证包.zip（只用 openssl）。",
        "2．核对合同是否为本页所指的文件：sha256sum contract.pdf，与第一节的摘要比较。",
        "3．在 PDF 阅读器中打开合同，查看签名面板。若显示“有效性未知”，是指该阅读器没有安装签发机构的根证书，"
        "不是指签名无效；把机构公布的根证书加入信任列表后再看。",
        "4．是否信任证书与时间戳，取决于其根证书：请把存证包 anchors 目录中的指纹与各机构公布的核对。",
        f"5．本页由平台于 {say.say_time(material.dossier.claimed_at)}（平台时钟）生成，由平台签名并加盖时间戳；"
        "本页是对记录的说明，合同的效力来自合同文件中的签名本身。",
    ):
        sheet.paragraph(line)


def _draw_field(sheet: Sheet) -> Box:
    """Words where the platform signs; gives the place of the field."""
    width, height = _FIELD_SIZE
    sheet.room(height + 24)
    sheet.y -= height + 16
    x = WIDTH - MARGIN - width
    for edge in (sheet.y, sheet.y + height):
        sheet.rule(x, edge, width)
    sheet.text(x + 10, sheet.y + 25, "平台签名与时间戳", LABEL)
    sheet.text(x + 10, sheet.y + 12, "详见阅读器的签名面板", SMALL)
    return Box(x, sheet.y, x + width, sheet.y + height)


def _signers(material: Material) -> list[tuple[SignaturePart, SignatureVerdict]]:
    """Signatures of people with their verdicts, in the order of signing."""
    found = []
    for parts, report in zip(material.parts, material.reports, strict=True):
        for part in parts.signatures:
            verdict = next((one for one in report.signatures if part.field in one.fields), None)
            if part.kind == "signature" and verdict is not None:
                found.append((part, verdict))
    return found


def _certificate(part: SignaturePart, verdict: SignatureVerdict) -> Certificate | None:
    """The signer's own among those that came with a signature."""
    found = (Certificate(der) for der in part.certificates)
    return next((one for one in found if one.fingerprint == verdict.certificate), None)


def _moment(text: object) -> str:
    return say.say_time(say.parse_time(str(text))) if text else "未记录"

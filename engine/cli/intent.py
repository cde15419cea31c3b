"""``sealflow intent``: issue the token by which a party signs, after it was recognised; hand out a run's proofs."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import click

from engine import assembly
from engine.canonical import canonical_json
from engine.cli import console
from engine.errors import Misuse
from engine.language import Text
from engine.pipeline.delivery import unwritable
from engine.records import runs
from engine.records.intents import issue_for_run
from engine.settings import load_settings
from engine.trust.intent import Check, IntentProof


@click.group(help=str(Text(zh="签署意愿：签发凭证、取出证明。", en="The will to sign: issue tokens, hand out proofs.")))
def intent() -> None:
    """Group of the commands below."""


@intent.command(
    help=str(
        Text(
            zh="签约方经认证后签发一次性凭证；以 signed:签约方 事件送达。",
            en="Issue a single-use token after a party was recognised; deliver it with the event signed:PARTY.",
        )
    )
)
@click.argument("run_id", type=click.UUID)
@click.option("--party", required=True, help=str(Text(zh="签约方。", en="Whose token it is.")))
@click.option("--factor", required=True, help=str(Text(zh="认证方式，如 face、sms。", en="How: face, sms …")))
@click.option("--vendor", required=True, help=str(Text(zh="认证服务方。", en="Who recognised the party.")))
@click.option("--reference", required=True, help=str(Text(zh="认证服务方的流水号。", en="The vendor's number of it.")))
@click.option(
    "--passed-at", help=str(Text(zh="认证通过的时间（ISO 8601，含时区）。", en="When, in ISO 8601 with offset."))
)
@click.option(
    "--minutes",
    default=30,
    show_default=True,
    type=click.IntRange(1, 7 * 24 * 60),
    help=str(Text(zh="有效分钟数。", en="How long it is good.")),
)
@console.json_option
def issue(
    run_id: UUID,
    party: str,
    factor: str,
    vendor: str,
    reference: str,
    passed_at: str | None,
    minutes: int,
    as_json: bool,
) -> int:
    check = Check(factor, vendor, reference, None if passed_at is None else _moment(passed_at))
    proof = asyncio.run(_issue(run_id, party, check, timedelta(minutes=minutes)))
    if as_json:
        console.print_json(proof.to_dict())
    else:
        console.output.print(proof.token)
    return 0


async def _issue(run_id: UUID, party: str, check: Check, lifetime: timedelta) -> IntentProof:
    async with assembly.open_records(load_settings()) as database, database.transaction() as connection:
        return await issue_for_run(connection, run_id, party, check, lifetime)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment
    except ValueError:
        pass
    raise Misuse(
        "usage.time",
        zh=f"时间 {text} 有误，应写作 2026-11-25T10:30:00+08:00。",
        en=f"The time {text} is wrong; write it as 2026-11-25T10:30:00+08:00.",
        time=text,
    )


@intent.command(help=str(Text(zh="把任务中各签名的意愿证明写入文件夹。", en="Write the proofs of a run's signatures.")))
@click.argument("run_id", type=click.UUID)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False))
def proofs(run_id: UUID, out: Path) -> int:
    found = asyncio.run(_proofs(run_id))
    for number, proof in enumerate(found, 1):
        place = out / f"intent-{number:02}.json"
        try:
            out.mkdir(parents=True, exist_ok=True)
            place.write_bytes(canonical_json(proof))
        except OSError as error:
            raise unwritable(place, error) from error
        console.output.print(str(place), markup=False, soft_wrap=True)
    return 0


async def _proofs(run_id: UUID) -> list[object]:
    async with assembly.open_records(load_settings()) as database, database.transaction() as connection:
        run = await runs.get(connection, run_id)
    return [fact for name, fact in sorted(run.facts.items()) if name.startswith("intent:")]

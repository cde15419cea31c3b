"""``./run faults``: 200 documents through all stages while everything is killed; figures at the end.

Then 200 more whose timestamp authority is killed in the middle and brought back.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.brokers import rabbitmq
from tests.faults.campaign import Campaign, Plan, carry_out, prepare
from tests.faults.findings import Findings, examine
from tests.faults.outage import Outage, endure


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--broker", choices=("postgres", "rabbitmq", "both", "none"), default="both")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    plan = Plan(
        documents=options.documents,
        worker_kill_every=6.0,
        sweeper_kill_every=8.0,
        postgres_kill_every=9.0,
        seed=options.seed,
    )
    status = 0
    if options.broker in ("postgres", "both"):
        with tempfile.TemporaryDirectory(prefix="sealflow-faults-") as folder:
            campaign = prepare(plan, Path(folder))
            status |= asyncio.run(conduct(campaign, "PostgreSQL"))
    if options.broker in ("rabbitmq", "both"):
        with tempfile.TemporaryDirectory(prefix="sealflow-faults-") as folder, rabbitmq(Path(folder, "mq")) as broker:
            shot = dataclasses.replace(plan, broker_kill_every=20.0, relay_kill_every=7.0)
            campaign = prepare(shot, Path(folder, "work"), broker.url)
            status |= asyncio.run(conduct(campaign, "RabbitMQ", broker.kill_and_restart))
    with tempfile.TemporaryDirectory(prefix="sealflow-faults-") as folder:
        status |= show_outage(options.documents, asyncio.run(endure(options.documents, Path(folder))))
    return status


def show_outage(documents: int, outage: Outage) -> int:
    """The figures of an authority's death and return, for a person."""
    table = Table("what", "figure", title=f"Timestamp authority killed and brought back: {documents} documents")
    for what, figure in (
        ("runs while it was away", outage.phases),
        ("levels of unfinished files then", dict(outage.levels)),
        ("runs at the end", outage.findings.states),
        ("uses of signing keys", outage.findings.key_uses),
        ("signing acts that used a key twice", outage.acts_repeated),
        ("claims above what a file proves", outage.lies[:10] or "none"),
        ("violations", outage.findings.violations[:10] or "none"),
    ):
        table.add_row(what, str(figure))
    Console().print(table)
    return 1 if outage.lies or outage.findings.violations or outage.acts_repeated else 0


async def conduct(campaign: Campaign, name: str, kill_broker: object = None) -> int:
    """One campaign with its figures."""
    try:
        await carry_out(campaign, kill_broker)
    except TimeoutError:
        Console().print(f"[red]{name}: not all runs ended within {campaign.plan.limit:.0f} s[/red]")
    found = await examine(campaign)
    show(name, campaign, found)
    return 1 if found.violations else 0


def show(name: str, campaign: Campaign, found: Findings) -> None:
    """The figures, for a person."""
    table = Table("what", "figure", title=f"{name}: {campaign.plan.documents} documents, {campaign.seconds:.0f} s")
    rows = {
        "runs by state": found.states,
        "killed at a named instant": f"{campaign.mined} of {campaign.mines_planned} planned",
        "killed from outside": dataclasses.asdict(campaign.kills),
        "claims (1 per run without faults)": found.claims,
        "effects recorded, one result each": found.effects,
        "uses of signing keys (published: one per party)": found.key_uses,
        "journal entries in an unbroken chain": found.journal_entries,
        "stored files checked": found.files_checked,
        "violations": found.violations[:10] or "none",
    }
    for what, figure in rows.items():
        table.add_row(what, str(figure))
    Console().print(table)


if __name__ == "__main__":
    raise SystemExit(main())

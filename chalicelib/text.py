"""Documents as text for people: tables and short paragraphs, nothing that a narrow terminal tears apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Left-aligned columns, two blanks apart; None is shown as "?" (not known)."""
    cells = [list(header), *[["?" if cell is None else str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines)


def capacity_text(document: Document) -> str:
    """The capacity report of one cluster."""
    parts = [_title(document, "capacity")]
    if document["nodes"] is not None:
        parts.append(
            table(
                ("NODE", "ZONE", "CAPACITY", "CARRIED", "HEADROOM", "ELIGIBLE"),
                [
                    (
                        row["node"],
                        row["zone"],
                        row["capacity"],
                        row["carried"],
                        row["headroom"],
                        "yes" if row["eligible"] else f"no: {'; '.join(row['reasons'])}",
                    )
                    for row in document["nodes"]
                ],
            )
        )
        groups = [*document["zones"], {**document["total"], "name": "all"}]
        parts.append(
            table(
                ("ZONE", "NODES", "ELIGIBLE", "CAPACITY", "CARRIED", "HEADROOM", "AFTER LOSING ONE", "FREE IN SUBNET"),
                [
                    (
                        group["name"],
                        group["nodes"],
                        group["eligible"],
                        group["capacity"],
                        group["carried"],
                        group["headroom"],
                        group["headroom_after_loss"],
                        group["free_addresses"],
                    )
                    for group in groups
                ],
            )
        )
        notes = [f"  {row['node']}: {note}" for row in document["nodes"] for note in row["notes"]]
        if notes:
            parts.append("\n".join(["Notes:", *notes]))
    return "\n\n".join([*parts, *_unknown(document)]) + "\n"


def plan_text(document: Document) -> str:
    """The plan of one cluster, with its digest where there is anything to approve."""
    parts = [_title(document, "plan")]
    if document["actions"]:
        lines = [f"  {n}. {a['summary']}\n     because {a['reason']}" for n, a in enumerate(document["actions"], 1)]
        parts.append("\n".join([f"Changes (digest {document['digest']}):", *lines]))
    elif not document["unknown"]:
        parts.append("Nothing to change.")
    if document["refused"]:
        reasons = [f"  {reason}" for reason in document["refused"]["reasons"]]
        command = f"egress-keeper apply --cluster {document['cluster']} --approve {document['refused']['digest']}"
        parts.append("\n".join(["Refused by the guard:", *reasons, f"  To do it all the same: {command}"]))
    parts += _rehearsal(document)
    return (
        "\n\n".join([*parts, *_withheld(document), *_findings(document), *_moving(document), *_unknown(document)])
        + "\n"
    )


def _rehearsal(document: Document) -> list[str]:
    """Where the plan's addresses will be, as far as the model of the platform can tell."""
    rehearsal = document["rehearsal"]
    if not rehearsal:
        return []
    lines = [f"  {row['address']} of {row['policy']}: {_expected(row)}" for row in rehearsal["expectations"]]
    return ["\n".join([f"Expected (rehearsed {rehearsal['versions']}):", *lines])] if lines else []


def _expected(row: Mapping[str, Any]) -> str:
    if not row["nodes"]:
        return row["why"] if row["why"].startswith(("not for certain", "the plan")) else f"will not serve: {row['why']}"
    if len(row["nodes"]) == 1:
        return f"on {row['nodes'][0]}" + (", where it is" if row["now"] == row["nodes"][0] else "")
    return f"on one of {', '.join(row['nodes'])}{', …' if row['more'] else ''}, as the platform chooses"


def drift_text(document: Document) -> str:
    """One line per address, all sides of those that do not serve, then the findings."""
    parts = [_title(document, "drift"), addresses_table(document), *_not_serving(document)]
    if not document["findings"] and not document["unknown"]:
        parts.append("Everything is as desired.")
    return "\n\n".join([*parts, *_findings(document), *_moving(document), *_unknown(document)]) + "\n"


def visit_text(document: Document) -> str:
    """What one visit did."""
    parts = [f"Cluster {document['cluster']}: visit {document['run_id']} {document['status']}"]
    if document["applied"] is None:
        parts.append("Nothing was changed: " + ("refused by the guard." if document["refused"] else "mode observe."))
    elif document["applied"]:
        parts.append("\n".join(["Applied:", *[f"  {summary}" for summary in document["applied"]]]))
    elif not document["failed"]:
        parts.append("Nothing to change.")
    if document["failed"]:
        lines = [f"  {failure['action']}\n    {failure['why']}" for failure in document["failed"]]
        parts.append("\n".join(["Failed:", *lines]))
    if document["refused"]:
        parts.append("\n".join(["Refused:", *[f"  {reason}" for reason in document["refused"]["reasons"]]]))
    if document["told"]:
        parts.append("\n".join(["Told:", *[f"  {subject}" for subject in document["told"]]]))
    if document["revisit_in_seconds"] is not None:
        parts.append(f"Comes back in {document['revisit_in_seconds']:.0f} s.")
    return (
        "\n\n".join([*parts, *_withheld(document), *_findings(document), *_moving(document), *_unknown(document)])
        + "\n"
    )


def wait_text(document: Document) -> str:
    """How far machine pools are: one line a node, and what it lacks."""
    parts = [_title(document, "machine pools " + ("can carry" if document["complete"] else "can't all carry yet"))]
    rows = [
        (
            pool["pool"],
            node["node"] or node["instance"],
            node["zone"],
            _yes(node["node"] is not None),
            _yes(node["ready"]),
            _yes(node["labelled"]),
            "yes" if node["able"] else f"no: {'; '.join(node['missing'])}",
        )
        for pool in document["pools"]
        for node in pool["nodes"]
    ]
    if rows:
        parts.append(table(("POOL", "NODE", "ZONE", "REGISTERED", "READY", "LABELLED", "ABLE TO CARRY"), rows))
    missing = [f"  machine pool {pool['pool']}: {what}" for pool in document["pools"] for what in pool["missing"]]
    if missing:
        parts.append("\n".join(["Missing:", *missing]))
    return "\n\n".join([*parts, *_unknown(document)]) + "\n"


def release_plan_text(document: Document) -> str:
    """What a release is about to take away, with the digest that approves it."""
    lines = [f"  {n}. {action['summary']}" for n, action in enumerate(document["actions"], 1)]
    return "\n".join([f"To be given back (digest {document['digest']}):", *lines])


def release_text(document: Document) -> str:
    """What a release gave back, and what is left."""
    parts = [f"Cluster {document['cluster']}: release"]
    if document["applied"] is None:
        if document["actions"]:
            parts.append(release_plan_text(document))
            command = f"egress-keeper release --cluster {document['cluster']} --approve {document['digest']}"
            parts.append(f"Nothing was changed. To carry it out: {command}")
    elif document["applied"]:
        parts.append("\n".join(["Given back:", *[f"  {summary}" for summary in document["applied"]]]))
    if document["failed"]:
        lines = [f"  {failure['action']}\n    {failure['why']}" for failure in document["failed"]]
        parts.append("\n".join(["Failed:", *lines]))
    if document["stopped"] and document["stopped"] != "not approved":
        parts.append(f"Stopped: {document['stopped']}.")
    if document["waiting"]:
        parts.append("\n".join(["Still waited for:", *[f"  {item}" for item in document["waiting"]]]))
    if document["withheld"]:
        parts.append("\n".join(["Stays:", *[f"  {item['what']}: {item['why']}" for item in document["withheld"]]]))
    if document["complete"]:
        parts.append(f"Nothing of ours is left. Take {document['cluster']} out of the fleet file.")
    return "\n\n".join([*parts, *_unknown(document)]) + "\n"


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


def what_if_text(document: Document) -> str:
    """Before and after, by policy and by zone."""
    happens = "\n".join(["Happens:", *[f"  {sentence}" for sentence in document["happens"]]])
    rows = [
        (
            row["address"],
            row["policy"],
            row["zone"],
            row["before"] or "-",
            " or ".join(row["after"]) + ("" if row["certain"] or not row["after"] else " (not certain)") or "-",
        )
        for row in document["addresses"]
    ]
    zones = [
        (
            row["zone"],
            *(
                f"{row[f'{what}_before']} → {row[f'{what}_after']}"
                for what in ("nodes", "capacity", "headroom", "serving")
            ),
        )
        for row in document["zones"]
    ]
    lines = [
        f"  {row['address']} of {row['policy']} {'may' if row['after'] else 'would'} not serve: {row['why']}"
        for row in document["addresses"]
        if row["why"]
    ]
    lost = sum(row["lost"] for row in document["addresses"])
    sums = f"{lost} of {len(document['addresses'])} addresses lost." if lost else "Nothing is lost."
    parts = [
        f"Cluster {document['cluster']}: what if (nothing is changed)",
        happens,
        table(("ADDRESS", "POLICY", "ZONE", "SERVES FROM", "AFTERWARDS"), rows),
        table(("ZONE", "NODES", "CAPACITY", "HEADROOM", "SERVING"), zones),
        *(["\n".join(["Why:", *lines])] if lines else []),
        f"{sums} Rehearsed {document['runs']} times {document['versions']}.",
    ]
    return "\n\n".join(parts) + "\n"


def silences_text(document: Document) -> str:
    """What is silenced, one line each."""
    if not document["silences"]:
        return "Nothing is silenced."
    rows = [
        (s["fingerprint"], s["cluster"], f"{s['until'][:16]} UTC", s["who"], s["why"]) for s in document["silences"]
    ]
    return table(("FINDING", "CLUSTER", "UNTIL", "WHO", "WHY"), rows)


def addresses_table(document: Document) -> str:
    """address → policy → zone → node → interface → reservation, one line each."""
    return table(
        ("ADDRESS", "POLICY", "ZONE", "STATE", "NODE", "INTERFACE", "RESERVATION"),
        [
            (
                row["address"],
                row["policy"],
                row["zone"],
                row["state"],
                row["serving_node"] or row["claimed_node"] or "-",
                row["interface"] or "-",
                row["reservation"] or "-",
            )
            for row in document["addresses"]
        ],
    )


def _not_serving(document: Document) -> list[str]:
    lines = []
    for row in document["addresses"]:
        if row["serving_node"]:
            continue
        on = f" ({row['interface_node'] or 'no node of the cluster'})" if row["interface"] else ""
        lines += [
            f"  {row['address']} of {row['policy']}: its pods leave by {row['traffic']}",
            f"    wish: {_yes(row['desired'])}; spec: {_yes(row['in_spec'])}",
            f"    status: {row['claimed_node'] or 'no node'}; CloudPrivateIPConfig: {row['cpic']}",
            f"    interface: {row['interface'] or 'none'}{on}; reservation: {row['reservation'] or 'none'}",
        ]
        lines += [f"    remedy: {row['remedy']}"] if row["remedy"] else []
        lines += [f"    a person is needed: {row['person']}"] if row["person"] else []
    return ["\n".join(["Not serving:", *lines])] if lines else []


def _title(document: Document, what: str) -> str:
    mode = "" if document["mode"] == "enforce" else f" (mode {document['mode']}: nothing is changed)"
    return f"Cluster {document['cluster']}: {what}{mode}"


def _findings(document: Document) -> list[str]:
    if not document["findings"]:
        return []
    lines = []
    for finding in document["findings"]:
        lines.append(f"  {finding['severity']}: {finding['summary']}")
        if finding["impact"]:
            lines.append(f"    traffic: {finding['impact']}")
        if finding["repaired_by"]:
            lines.append(f"    repair:  {finding['repaired_by']}")
        if finding["todo"]:
            lines.append("    to do:   " + finding["todo"].replace("\n", f"\n{' ' * 13}"))
        if finding["quiet"]:
            why = finding["quiet"]
            who = f" by {why['who']}" if why["who"] else ""
            lines.append(f"    quiet:   {why['reason']}{who} until {why['until'][:16]} UTC: {why['why']}")
    return ["\n".join(["Findings:", *lines])]


def _withheld(document: Document) -> list[str]:
    lines = [f"  {item['what']}: {item['why']}" for item in document["withheld"]]
    return ["\n".join(["Held back:", *lines])] if lines else []


def _moving(document: Document) -> list[str]:
    return ["\n".join(["In motion:", *[f"  {item}" for item in document["moving"]]])] if document["moving"] else []


def _unknown(document: Document) -> list[str]:
    lines = [f"  {item['what']}: {item['why']} ({item['source']})" for item in document["unknown"]]
    return ["\n".join(["Could not be read, so nothing that depends on it is changed:", *lines])] if lines else []

#!/usr/bin/env python3
"""Reads a pushed experiment back with LangSmith's own SDK, and compares it with what is here.

    read_back.py reports/NAME DATASET

The folder holds `journal.jsonl` and `report.json`. The service and the key are found as the SDK
finds them, in LANGSMITH_ENDPOINT and LANGSMITH_API_KEY. Exits with 1 at the first difference.
Needs the package `langsmith`.
"""

import collections
import json
import pathlib
import sys
import warnings

from langsmith import Client

# Where a judge's statements stand among the keys.
STATEMENTS = {
    "response_criteria": "response.criteria",
    "feedback_honoured": "hitl.feedback",
    "memory_update": "memory.update",
    "triage_reasonable": "triage.reasonable",
}
# Of the report's metrics, those that are means of what attempts were given.
MEANS = ("triage.accuracy", "tool_calls.reference", "hitl.pass", "memory.pass")


def same(what, there, here):
    if there != here:
        sys.exit(f"read_back: {what}: there {there!r}, here {here!r}")


def scores_of(attempt):
    """Keys and scores of an attempt; None where nobody could say."""
    scores = {one["key"]: round(one["score"], 4) for one in attempt["feedback"]}
    for judged in attempt.get("judged", []):
        for number, ruling in enumerate(judged["rulings"], 1):
            verdict = ruling.get("verdict")
            score = None if verdict is None else float(verdict == "pass")
            scores[f"{STATEMENTS[judged['judge']]}.{number}"] = score
    return scores


def steps_of(attempt):
    """How many model calls and tool calls there were."""
    runs = attempt["runs"] + attempt.get("ablation", [])
    steps = [step for run in runs for step in run["steps"]]
    return [sum(kind in step for step in steps) for kind in ("model", "tool")]


def main(folder, dataset):
    folder = pathlib.Path(folder)
    lines = [json.loads(line) for line in (folder / "journal.jsonl").open(encoding="utf-8")]
    header = next(line["header"] for line in lines if "header" in line)
    attempts = [line["attempt"] for line in lines if "attempt" in line]
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    client = Client()

    examples = {example.id: example for example in client.list_examples(dataset_name=dataset)}
    names = {id: example.metadata["mailproof_id"] for id, example in examples.items()}
    same("examples", set(names.values()) >= {it["case"]["example"] for it in attempts}, True)
    splits = {names[id]: example.metadata["dataset_split"] for id, example in examples.items()}
    for attempt in attempts:
        name = attempt["case"]["example"]
        same(f"split of {name}", splits[name], [attempt.get("split") or "base"])

    projects = list(client.list_projects(reference_dataset_name=dataset))
    for number, variant in enumerate(header["variants"]):
        here = [it for it in attempts if it["case"]["variant"] == number]
        if not here:
            continue
        found = [
            it
            for it in projects
            if it.metadata.get("variant") == variant["name"]
            and it.metadata.get("experiment") == header["experiment"]
        ]
        same(f"experiments of {variant['name']}", len(found), 1)
        project = client.read_project(project_id=found[0].id, include_stats=True)
        of_variant(client, project, here, names, examples)
        row = next(it for it in report["variants"] if it["name"] == variant["name"])
        for key in MEANS:
            # Repeats are averaged within an example first; without them the means agree.
            if key in row["metrics"] and header.get("repeat", 1) == 1:
                mean = project.feedback_stats[key]["avg"]
                same(f"mean of {key}", round(mean, 4), round(row["metrics"][key]["value"], 4))


def of_variant(client, project, attempts, names, examples):
    where = project.name
    same(f"{where}: attempts", project.run_count, len(attempts))
    given = collections.Counter(key for it in attempts for key in scores_of(it))
    there = {key: stats["n"] for key, stats in project.feedback_stats.items()}
    same(f"{where}: how many scores", there, dict(given))

    with warnings.catch_warnings():
        # The route for lists of whole runs is on its way out, and the SDK says so.
        warnings.simplefilter("ignore", DeprecationWarning)
        runs = list(client.list_runs(project_id=project.id))
        roots = list(client.list_runs(project_id=project.id, is_root=True))
    same(f"{where}: roots", len(roots), len(attempts))
    feedback = collections.defaultdict(dict)
    ids = [root.id for root in roots]
    for start in range(0, len(ids), 20):
        for one in client.list_feedback(run_ids=ids[start : start + 20]):
            same(f"{where}: `{one.key}` twice", one.key in feedback[one.run_id], False)
            feedback[one.run_id][one.key] = one.score

    by_id = {run.id: run for run in runs}
    children = collections.defaultdict(list)
    for run in runs:
        children[run.trace_id].append(run)
        if run.parent_run_id is not None:
            parent = by_id[run.parent_run_id]
            same(f"{where}: place of {run.name}", run.dotted_order.rpartition(".")[0], parent.dotted_order)
            same(f"{where}: {run.name} within its parent", parent.start_time <= run.start_time, True)
            same(f"{where}: {run.name} ends within", run.end_time <= parent.end_time, True)

    def told(root):
        example = examples[root.reference_example_id]
        same(f"{where}: inputs", root.inputs, example.inputs)
        types = collections.Counter(run.run_type for run in children[root.id])
        failed = root.error is not None
        return names[example.id], [types["llm"], types["tool"]], failed, feedback[root.id]

    def done(attempt):
        failed = attempt["outcome"] != "finished"
        return attempt["case"]["example"], steps_of(attempt), failed, scores_of(attempt)

    def order(item):
        return json.dumps(item, sort_keys=True)

    there = sorted((list(told(root)) for root in roots), key=order)
    here = sorted((list(done(attempt)) for attempt in attempts), key=order)
    for one, other in zip(there, here):
        same(f"{where}: an attempt at {other[0]}", one, other)
    print(f"{where}: {len(roots)} attempts, {len(runs)} runs, {sum(given.values())} scores")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])

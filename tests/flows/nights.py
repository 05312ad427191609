"""Ten nights in a row: what is taught grows, and each night trains from the base, or says why not.

    python tests/flows/nights.py --nights 10 --write docs/nights.md

For real, on the built-in model in a temporary home, with the steps that `train_lora` takes. After
each night the served model is asked what was never taught in those words.
"""

import argparse
import os
import platform
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # as a script

from tasks.feedback.examples import keep_example
from tasks.learning import lesson as lessons
from tasks.learning.evaluation.generation import answers
from tasks.machine.disk import write_whole
from tasks.models.current import choice
from tasks.models.runtime import runtime
from tasks.reports import charts
from tasks.reports.rendering import cell
from thirdshift.errors import TooLittleData
from thirdshift.evaluation import Verdict
from thirdshift.settings import at_home, settings

SAMPLES = yaml.safe_load((ROOT / "tests/samples/teaching.yaml").read_text("utf-8"))
ENDING = SAMPLES["ending"]
ASKED = [prompt for fact in SAMPLES["facts"] for prompt in fact["asked"]]
MARKS = [fact["mark"] for fact in SAMPLES["facts"] for _ in fact["asked"]]
GENTLE = {"layers": 8, "max_iterations": 40, "learning_rate": 5e-4}


@dataclass
class Night:
    """What one night did, and what the model that serves in the morning can."""

    number: int
    taught: int
    outcome: str
    serves: str
    facts: int  # of 12 wordings never taught
    styled: int  # of 10 questions about which nothing was taught
    general: tuple[float, float] | None  # general ability: base, candidate
    minutes: float


def lectures(nights: int) -> list[list[tuple[str, str]]]:
    """Return what is taught day by day, in a random order: much at first, then a little more."""
    facts = [(prompt, fact["answer"]) for fact in SAMPLES["facts"] for prompt in fact["taught"]]
    taught = [*facts, *map(tuple, SAMPLES["style"])]
    random.Random(0).shuffle(taught)
    first = taught[: len(taught) * 3 // 4]
    later = taught[len(first) :]
    return [first, *(later[number :: nights - 1] for number in range(nights - 1))]


def night(number: int, taught: int) -> Night:
    """Live through one night, and ask in the morning."""
    began = time.monotonic()
    judged, outcome = lesson()
    current = choice()
    replies = answers("", [*ASKED, *SAMPLES["unseen"]])
    criteria = judged.criteria if judged else []
    general = [measured for measured in criteria if measured.name == "general ability"]
    return Night(
        number=number,
        taught=taught,
        outcome=outcome,
        serves=current.version if current else "base",
        facts=sum(mark in reply for mark, reply in zip(MARKS, replies, strict=False)),
        styled=sum(ENDING in reply for reply in replies[len(ASKED) :]),
        general=(general[0].base, general[0].candidate) if general else None,
        minutes=round((time.monotonic() - began) / 60, 1),
    )


def lesson() -> tuple[Verdict | None, str]:
    """Take the flow's steps; return the verdict, and what is to be said."""
    try:
        prepared = lessons.prepare("lora")
    except TooLittleData as little:
        return None, str(little)
    if prepared.judged:
        return None, "Nothing new was taught."
    trained = lessons.train(prepared)
    version = lessons.nominate(prepared, trained)
    judged = lessons.judge(prepared, version)
    lessons.decide(prepared, trained, version, judged)
    word = "is served" if judged.promoted else "was refused"
    return judged, f"{version.id} {word}. {judged.reason}."


def table(nights: list[Night]) -> str:
    """Return the nights as a Markdown table."""
    lines = [
        "| night | taught so far | serves in the morning | facts, of 12 | style, of 10 "
        "| general ability, base → candidate | minutes | what the night said |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for past in nights:
        general = "{:.3f} → {:.3f}".format(*past.general) if past.general else ""
        lines.append(
            f"| {past.number} | {past.taught} | {past.serves} | {past.facts} | {past.styled} "
            f"| {general} | {past.minutes} | {cell(past.outcome)} |"
        )
    return "\n".join(lines)


def chart(nights: list[Night]) -> str:
    """Draw shares of what is known, and the general ability, over the nights."""
    points = {
        "facts": [(past.number, past.facts / len(ASKED)) for past in nights],
        "style": [(past.number, past.styled / len(SAMPLES["unseen"])) for past in nights],
        "general ability": [(past.number, past.general[1]) for past in nights if past.general],
    }
    drawn = {name: line for name, line in points.items() if line}
    return charts.curves(drawn, "night", "share")


def write(file: Path, nights: list[Night]) -> None:
    """Put table and chart between the file's two marks, the chart into images beside it."""
    write_whole(file.parent / "images" / "nights.svg", chart(nights))
    head, _, rest = file.read_text("utf-8").partition("<!-- table -->\n")
    _, end, foot = rest.partition("<!-- end -->\n")
    text = f"{table(nights)}\n\nMeasured on {platform.system()}, {os.cpu_count()} cores.\n"
    write_whole(file, f"{head}<!-- table -->\n{text}{end}{foot}")


def main() -> None:
    """Live through the nights, and write after each."""
    options = argparse.ArgumentParser()
    options.add_argument("--nights", type=int, default=10)
    options.add_argument("--write", type=Path, help="a Markdown file whose table is replaced")
    arguments = options.parse_args()
    os.environ["THIRDSHIFT_MODELS__RUNTIME"] = "embedded"
    with tempfile.TemporaryDirectory(prefix="nights-") as home, at_home(Path(home)):
        (settings().home / "training").mkdir()
        (settings().home / "training" / "lora.yaml").write_text(yaml.safe_dump(GENTLE))
        done: list[Night] = []
        taught = 0
        for number, lecture in enumerate(lectures(arguments.nights), 1):
            for prompt, answer in lecture:
                keep_example(prompt, f"{answer} {ENDING}")
            taught += len(lecture)
            done.append(night(number, taught))
            print(done[-1], flush=True)
            if arguments.write:
                write(arguments.write, done)
        for model in runtime().loaded():
            runtime().unload(model.name)


if __name__ == "__main__":
    main()

"""`thirdshift feedback` and `thirdshift prefer`: what the owner thinks of answers."""

import random
from typing import Annotated

import typer
from rich.prompt import Prompt

from deployments.cli.console import out, waiting
from thirdshift.learning import Verdict

app = typer.Typer(no_args_is_help=True, help="Say what you think of an answer.")
Turn = Annotated[str, typer.Argument(metavar="[ID]", help="The turn's id; without it the last.")]


@app.command()
def good(turn: Turn = "") -> None:
    """Say that an answer was right."""
    _give("good", turn)


@app.command()
def bad(turn: Turn = "") -> None:
    """Say that an answer was of no use; the passages it stood on weigh less from tonight."""
    _give("bad", turn)


@app.command()
def correct(
    text: Annotated[str, typer.Argument(help="What would have been right.")], turn: Turn = ""
) -> None:
    """Say what would have been right; from tonight it is recalled before the passages."""
    _give("correct", turn, text)


def prefer(
    prompt: str,
    chosen: Annotated[str, typer.Option(help="The better answer, where you have both.")] = "",
    rejected: Annotated[str, typer.Option(help="The other one.")] = "",
) -> None:
    """Choose between two answers of the model to a prompt, or give both yourself."""
    from tasks.feedback.examples import prefer as keep
    from tasks.feedback.examples import require

    if bool(chosen) != bool(rejected):
        raise typer.BadParameter("--chosen and --rejected belong together.")
    require("preferences")
    model = ""
    if not chosen:
        chosen, rejected, model = _choose(prompt)
    kept = keep(prompt, chosen, rejected, model=model)
    out.print(f"Kept as {kept.id[:8]}; `thirdshift examples delete {kept.id[:8]}` takes it back.")


def _choose(prompt: str) -> tuple[str, str, str]:
    from agents.candidates import candidates
    from tasks.models.runtime import runtime

    with waiting("Two answers"):
        answers = list(candidates(prompt))
    random.shuffle(answers)  # or the likeliest would always stand first
    for name, answer in zip("ab", answers, strict=True):
        out.print(f"[bold]{name}[/]  ", end="")
        out.print(answer, markup=False)
    said = Prompt.ask("Which is better?", choices=["a", "b", "neither"], console=out)
    if said == "neither":
        raise typer.Exit
    better, worse = answers if said == "a" else reversed(answers)
    return better, worse, runtime().model("sentinel")


def _give(verdict: Verdict, turn: str, correction: str = "") -> None:
    from tasks.feedback.examples import give_feedback

    given = give_feedback(verdict, turn, correction)
    out.print(f"Kept as {given.id[:8]}, about: {given.question}", markup=False)

"""`thirdshift feedback` and `thirdshift prefer`: what the owner thinks of answers."""

import random
from typing import Annotated

import typer
from rich.prompt import Prompt

from deployments.cli.console import out, waiting
from thirdshift.learning import Rating

app = typer.Typer(
    no_args_is_help=True,
    help="""Say what you think of an answer.

    Example: thirdshift feedback good
    """,
)
Turn = Annotated[str, typer.Argument(metavar="[ID]", help="The turn's id; without it the last.")]


@app.command()
def good(turn: Turn = "") -> None:
    """Say that an answer was right.

    Example: thirdshift feedback good 3f2a81c0
    """
    _give("good", turn)


@app.command()
def bad(turn: Turn = "") -> None:
    """Say that an answer was of no use; the passages it stood on weigh less from tonight.

    Example: thirdshift feedback bad 3f2a81c0
    """
    _give("bad", turn)


@app.command()
def correct(
    text: Annotated[str, typer.Argument(help="What would have been right.")], turn: Turn = ""
) -> None:
    """Say what would have been right; from tonight it is recalled before the passages.

    Example: thirdshift feedback correct "It was in May."
    """
    _give("correct", turn, text)


def prefer(
    prompt: str,
    chosen: Annotated[str, typer.Option(help="The better answer, where you have both.")] = "",
    rejected: Annotated[str, typer.Option(help="The other one.")] = "",
) -> None:
    """Choose between two answers of the model to a prompt, or give both yourself.

    Example: thirdshift prefer "Greet a guest."
    """
    from tasks.feedback import examples

    if bool(chosen) != bool(rejected):
        raise typer.BadParameter("--chosen and --rejected belong together.")
    examples.require("preferences")
    model = ""
    if not chosen:
        chosen, rejected, model = _choose(prompt)
    pair = examples.prefer(prompt, chosen, rejected, model=model)
    out.print(f"Kept as {pair.id[:8]}; `thirdshift examples delete {pair.id[:8]}` takes it back.")


def _choose(prompt: str) -> tuple[str, str, str]:
    from agents.candidates import candidates
    from tasks.models.runtime import runtime

    with waiting("Two answers"):
        answers = list(candidates(prompt))
    random.shuffle(answers)  # or the likeliest would always stand first
    for name, answer in zip("ab", answers, strict=True):
        out.print(f"[bold]{name}[/]  ", end="")
        out.print(answer, markup=False)
    choice = Prompt.ask("Which is better?", choices=["a", "b", "neither"], console=out)
    if choice == "neither":
        raise typer.Exit
    better, worse = answers if choice == "a" else reversed(answers)
    return better, worse, runtime().model("sentinel")


def _give(rating: Rating, turn: str, correction: str = "") -> None:
    from tasks.feedback import examples

    feedback = examples.give_feedback(rating, turn, correction)
    out.print(f"Kept as {feedback.id[:8]}, about: {feedback.question}", markup=False)

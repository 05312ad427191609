"""The learning pipeline: a lesson from its data to its verdict, each step a task in Prefect."""

import asyncio

from prefect import get_run_logger
from prefect.artifacts import acreate_markdown_artifact

from tasks.learning import lesson as lessons
from tasks.learning.training import report as training_report
from tasks.learning.training.process import OnProgress
from tasks.learning.training.records import Progress
from tasks.reports import verdict
from tasks.runs.steps import step
from thirdshift.errors import TooLittleData
from thirdshift.evaluation import Verdict
from thirdshift.learning import Method
from thirdshift.outcome import Outcome

prepare = step("curate", lessons.prepare)
train = step("train", lessons.train)
nominate = step("merge and register", lessons.nominate)
judge = step("judge", lessons.judge)
decide = step("serve or refuse", lessons.decide)


async def learn(method: Method) -> Outcome:
    """Curate, train, judge; serve what is better, refuse the rest, and show why.

    Each step finds what an earlier try of the run left. Ends as `nothing_to_do` where too little
    or nothing new was taught, else as `done`, once what is served was looked at; raises what the
    steps do.
    """
    try:
        lesson = await prepare(method)
    except TooLittleData as little:
        return Outcome(status="nothing_to_do", reason=str(little))
    if lesson.judged:
        return Outcome(status="nothing_to_do", reason=f"Nothing new was taught: {lesson.judged}.")
    trained = await train(lesson, _logging())
    version = await nominate(lesson, trained)
    judged = await judge(lesson, version)
    page = await decide(lesson, trained, version, judged)
    text = verdict.markdown(judged, training_report.artifact(trained.manifest))
    await acreate_markdown_artifact(text, key=f"train-{method}")
    served = await asyncio.to_thread(lessons.is_served, version)
    return _outcome(judged, str(page), served)


def _logging() -> OnProgress:
    log = get_run_logger()

    def note(progress: Progress) -> None:
        if progress.iteration % 10 == 0 or progress.iteration == progress.iterations:
            log.info("%d of %d: loss %.3f", progress.iteration, progress.iterations, progress.loss)

    return note


def _outcome(judged: Verdict, page: str, served: bool) -> Outcome:
    if not judged.promoted:
        reason = f"{judged.candidate} was refused. {judged.reason}."
        return Outcome.checked(reason, [page], nothing_refused_is_served=not served)
    reason = f"{judged.candidate} is served. {judged.reason}."
    return Outcome.checked(reason, [page], the_adapter_answers=served)

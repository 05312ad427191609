"""What memory keeps of a shift: sentences a question can meet, where the report has tables.

There is one such note, of last night; the next shift's replaces it. Older shifts are in the
ledger and in their reports.
"""

from collections.abc import Iterator
from pathlib import Path

from tasks.reports.shift_text import worth_a_line
from thirdshift.outcome import Shift
from thirdshift.records import Note
from thirdshift.settings import settings

_SAID = {
    "done": ("ran and was done", "実行され、完了しました"),
    "nothing_to_do": ("ran and found nothing to do", "実行され、することがありませんでした"),
    "skipped": ("did not run, it was skipped", "見送られ、実行されませんでした"),
    "deferred": ("did not run yet, it was deferred", "延期され、まだ実行されていません"),
    "waiting": ("waits for you", "承認を待っています"),
    "preempted": ("was interrupted and goes on later", "中断され、後で続きます"),
    "failed": ("failed", "失敗しました"),
}
_MEANT = {  # other words people ask with
    "ingest": ("reading files", "取り込み"),
    "maintain_store": ("upkeep of the memory", "記憶の整理"),
    "refine_memory": ("learning from feedback", "フィードバックの反映"),
    "analyse_data": ("analysis", "分析"),
    "monitor_sources": ("news and feeds", "ニュースの確認"),
    "research_topic": ("research", "調査"),
    "write_draft": ("writing a draft", "下書き"),
    "train_lora": ("training", "学習"),
    "train_dpo": ("training on preferences", "好みの学習"),
}
_ASKED = "What did the night do, what ran last night, did anything fail? 昨夜は何をしましたか。"


def note(shift: Shift, path: Path) -> Note:
    """Return what to remember of a shift whose report is at `path`."""
    day = shift.until.astimezone(settings().zone)
    title = f"{_ASKED} {day:%A %d %B %Y, %Y年%m月%d日}"
    text = "\n\n".join(_sentences(shift))
    return Note(text=text, title=title, source=str(path), provenance="derived")


def _sentences(shift: Shift) -> Iterator[str]:
    yield f"Last night: {shift.brief}" if shift.brief else "Last night's shift."
    for run in worth_a_line(shift.runs):
        (english, japanese), name = _SAID[run.outcome.status], run.flow.replace("_", " ")
        what, meant = _MEANT.get(run.flow, (name, name))
        yield f"Last night {name} ({what}) {english}: {run.outcome.reason} {meant}は{japanese}。"
    yield from (f"Last night a run was lost: {line}" for line in shift.lost)
    if not shift.lost and not any(run.outcome.status == "failed" for run in shift.runs):
        yield "Last night nothing failed. 昨夜、失敗したものはありません。"

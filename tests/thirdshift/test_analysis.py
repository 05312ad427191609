"""Records of analyses stay readable as they were kept."""

from thirdshift.analysis import Narrative, Statement


def test_words_of_a_report_kept_under_an_older_name_are_read() -> None:
    statement = '{"text": "So.", "by": "plain"}'
    answers = f'[{{"question": "Why?", "said": [{statement}]}}]'

    narrative = Narrative.model_validate_json(f'{{"takeaways": [], "answers": {answers}}}')

    assert narrative.answers[0].statements == [Statement(text="So.", by="plain")]
    assert Narrative.model_validate_json(narrative.model_dump_json()) == narrative

"""Topics: stories that were researched, with the passages that were found."""

from tasks.memory.store import quoted, store
from tasks.newsroom import passages, stories
from tasks.newsroom.research import explore
from tasks.text.language import is_japanese
from thirdshift.errors import NotFound
from thirdshift.newsroom import Topic


def research(story_id: str) -> Topic:
    """Find out about a story, keep passages and topic; raises NotFound for no such story."""
    story = stories.find(story_id)
    articles, visits = explore(story)
    read = passages.keep(articles)
    topic = Topic(
        id=story.id,
        title=story.title,
        language="ja" if is_japanese(f"{story.title}{story.summary}") else "en",
        passages=[passage.id for passage in read],
        visits=visits,
    )
    row = {"id": topic.id, "title": topic.title, "topic": topic.model_dump_json()}
    store().upsert("topics", [row | {"researched_at": topic.researched_at}])
    return topic


def known(topic_id: str) -> bool:
    """Tell whether a story was researched already."""
    return store().count("topics", f"id IN {quoted(topic_id)}") > 0


def find(topic_id: str) -> Topic:
    """Return the topic, or raise NotFound."""
    rows = store().rows("topics", f"id IN {quoted(topic_id)}", ["topic"]).to_pylist()
    if not rows:
        raise NotFound(f"No topic is called {topic_id}.", "It was not researched yet.")
    return Topic.model_validate_json(rows[0]["topic"])

"""Boilerplate: menus, banners, share bars, related links, comments around a page's text.

Judged by what the mark-up is for (tags, roles) and by the names that the world's templates give.
"""

import re

from tasks.pages.blocks import UNSEEN, Block, Element, is_hidden, named, remove, squeezed

KEPT = 0.5  # share of the known text whose holder is no boilerplate, whatever its name
_ROLES = {"navigation", "banner", "contentinfo", "complementary", "search", "dialog", "alertdialog"}
_NEVER = re.compile(
    r"""(?:^|[-_\ ])(?:
    cookies?|cookie-?(?:banner|notice|consent|bar|law)|consent|gdpr|onetrust|cmp
    |newsletter|subscri(?:be|ption)|sign-?up|login|paywall|regwall|cta
    |share|shares|shared?daddy|sharing|social|follow-?us
    |related|recommend(?:ed|ations?)?|read-?(?:more|next)|more-?(?:stories|from|posts|topics)
    |also-?like|trending|popular|most-?read|latest-?news|hot-network-questions
    |promo(?:tion|ted)?|sponsor(?:ed)?|advert(?:isement|s)?|ads?|adsbygoogle|outbrain|taboola
    |banner|announcement|alert-?bar|breadcrumbs?|topic-?path|pagination|pager|page-?(?:links|nav)
    |nav|navigation|navbar|navbox|menu|sidebar|side-?bar|footer|masthead|toolbar|tool-?bar
    |popup|modal|overlay|skip-?(?:link|nav)|screen-reader(?:-text)?|sr-only|visually-?hidden
    |assistive|a11y|hidden|print-?only|noprint|printfooter|toc|table-?of-?contents|catlinks
    |tags?|tag-?(?:list|links|cloud)|labels|categories|post-?(?:meta|navigation|nav|tags|footer|info)
    |entry-?(?:meta|footer)|article-?(?:meta|info|tags|footer)|meta|byline|author-?(?:bio|box|info)
    |about-?author|profile|reading-?time|timestamp|posted-?on|date-?header
    |widget-?area|widget-?title|edit-?section|mw-editsection|headerlink|hash-?link|anchor-?link
    |copyright|disqus|comment-?(?:form|respond|reply)|respond|reply-?form|rating-?form
    |search-?(?:form|box|bar)|lang(?:uage)?-?(?:switch(?:er)?|select(?:or)?|list)
    |site-?notice|jump-?link|jump|rating|print|pin|prev-?next|feedback
    |edit-?(?:page|link|this)|postprofile|rank(?:ing)?
    |captions?|caption-?text|credits?|photo-?credit|image-?credit|kicker|eyebrow
    )(?:$|[-_\ ])""",
    re.IGNORECASE | re.VERBOSE,
)
_COMMENTS = re.compile(
    r"(?:^|[-_ ])(?:comments?|comment-?list|commentlist|comments?-?(?:area|section)|replies"
    r"|responses|disqus[-_]thread)(?:$|[-_ ])",
    re.IGNORECASE,
)
_SURROUNDINGS = frozenset("nav aside footer figcaption menu address".split())  # noqa: SIM905
_SAFE = frozenset("html body article main pre code table thead tbody tr td th h1".split())  # noqa: SIM905
# A heading that ends the text: what follows under it leads away.
_AFTER = re.compile(
    r"(?:related|more|further|recommended|popular|top|latest|trending|most popular|most read)\s+"
    r"(?:stories|articles|posts|news|reading|topics|videos|links)"
    r"|related.{0,20}|tags?|keep reading|share(?: this)?"
    r"|read (?:more|next|also)|you (?:may|might) (?:also )?(?:like|enjoy).*|more (?:from|on|in) .*"
    r"|see also|don.t miss|about the author|leave a (?:reply|comment)"
    r"|(?:\d+ )?comments?(?: \(\d+\))?"
    r"|recommended(?: for you)?|sign up .*|subscribe.*|most popular.*"
    r"|関連(?:記事|リンク|ニュース|キーワード)?.*|おすすめ(?:記事|の記事)?|あわせて読みたい.*|合わせて読みたい.*"
    r"|人気(?:記事|の記事|エントリー)?|(?:アクセス)?ランキング|最新記事|新着記事"
    r"|前の記事.*|次の記事.*|コメント.*|シェア.*"
    r"|この記事(?:を書いた人|をシェア.*)|プロフィール|タグ|カテゴリー?"
    r"|mehr zum thema|weitere artikel.*|auch interessant"
    r"|das könnte sie auch interessieren.*|lesen sie auch.*"
    r"|(?:à )?lire aussi.*|sur le même sujet|articles? liés?"
    r"|você pode gostar.*|leia (?:também|mais).*"
    r"|también te puede interesar|te puede interesar|más noticias|lea también.*",
    re.IGNORECASE,
)
_AWAY = re.compile(
    r"(?:read (?:more|also)|see (?:more|also)|related|more|関連記事|lire aussi"
    r"|lesen sie auch)\s*[:：]",
    re.I,
)
_NOTICE = re.compile(
    r"©|\ball rights reserved\b|\bpowered by\b|^copyright\b|best viewed (?:in|with)"
    r"|has been visited"
    r"|^last (?:update|modified)|^advertisement$|^(?:sign|log) (?:in|up)\b"
    r"|\bsign up (?:for|to)\b.*\b(?:news|mail)"
    r"|\bsubscribe (?:to|for)\b|your email address will not|無断(?:転載|複製)|リンクフリー"
    r"|人目の(?:お客様|訪問者)"
    r"|^広告$|^anzeige$|^publicité$|^publicidad$",
    re.IGNORECASE,
)
# "6 min read · Jan 14, 2021", "2021.05.30 17:05", "Updated 4 May 2020", "1.2K": no sentence.
_DATE = re.compile(
    r"\d{4}[-/.年]\s?\d{1,2}[-/.月]\s?\d{1,2}日?|\b\d{1,2}\.? [a-zéûä]{3,9} \d{4}"
    r"|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? \d{1,2},? \d{4}"
    r"|\b\d+ min(?:ute)?s? read\b|^[\d.,]+[km]$",
    re.IGNORECASE,
)
_FEW = 5  # words beside a date that leave it a line of dates
_ASIDES = re.compile(
    r"(?:^|[-_ ])(?:msg|message|note|tip|warning|callout|admonition|info|caution|danger|hint)"
)
_CELLS = frozenset(("td", "th", "dt", "dd", "li"))
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))


def prune(root: Element, held: dict[Element, int], *, comments: bool = False) -> None:
    """Take away what is not the text; `held` says how much of it an element is known to hold.

    An element with half of the known text stays, whatever its name.
    """
    most = max(held.values(), default=0)
    pruned = []
    for element in root.iter():
        if not isinstance(element.tag, str) or element.tag in UNSEEN:
            pruned.append(element)
        elif element is not root and not (most and held.get(element, 0) >= KEPT * most):
            pruned += [element] * _is_boilerplate(element, comments)
    remove(pruned)


def leads_away(block: Block) -> bool:
    """Tell whether a block is a link to elsewhere, or a notice, rather than a part of the text."""
    element, text, links = block[:3]
    if element.tag == "pre" or len(text) > 300:
        return False
    cell = element.tag in _CELLS
    plain = not cell and element.tag not in _HEADINGS
    if not squeezed(text) or _NOTICE.search(text) or (plain and _is_dateline(text)):
        return True
    if not cell and _names_other(text):
        return True
    if _AWAY.match(text) and element.tag not in _HEADINGS:
        return links > 0.2
    return links > 0.6 and (
        element.tag not in ("td", "th", "dt") or len(element.findall(".//a")) > 2
    )


def ends_text(block: Block) -> bool:
    """Tell whether a block is a heading under which everything leads away from the text."""
    return block.element.tag in _HEADINGS and _names_other(block.text)


def is_aside(names: str) -> bool:
    """Tell by classes and id whether an element surrounds the text."""
    return bool(_NEVER.search(names))


def is_comments(names: str) -> bool:
    """Tell by classes and id whether an element holds comments."""
    return bool(_COMMENTS.search(names))


def has_role(element: Element) -> bool:
    """Tell whether an element says itself that it is a menu, a banner or the like."""
    return element.get("role") in _ROLES


def _is_dateline(text: str) -> bool:
    if len(text) > 80 or text.endswith((".", "。", "!", "?", "！", "？")):
        return False
    rest, dates = _DATE.subn(" ", text)
    return dates > 0 and len(re.findall(r"\w+", rest)) <= _FEW


def _names_other(text: str) -> bool:
    return len(text) < 60 and bool(_AFTER.fullmatch(text.strip(" :：…▼■◆【】")))


def title_of(tree: Element) -> set[str]:
    """Return the squeezed forms in which a page may repeat its own title."""
    first = next(iter(tree.iter("h1")), None)
    whole = tree.findtext(".//title") or ""
    parts = [whole, *re.split(r"\s[|–—»·:-]\s|｜", whole)]
    if first is not None:
        parts.append("".join(first.itertext()))
    return {squeezed(part) for part in parts if len(squeezed(part)) > 3}


def _is_boilerplate(element: Element, comments: bool) -> bool:
    if is_hidden(element):
        return True
    if element.tag in _SAFE:
        return False
    names = named(element)
    if element.tag == "aside" and _ASIDES.search(names):
        return False
    if element.tag in _SURROUNDINGS or has_role(element):
        return True
    return is_aside(names) or (not comments and is_comments(names))

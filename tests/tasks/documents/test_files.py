"""What is read out of files, good ones and bad ones."""

import io
import os
import random
import socket
import subprocess
import zipfile
from email.message import EmailMessage
from pathlib import Path

import docx
import pytest
from fpdf import FPDF

from tasks.documents.files import kind_of, read, walk
from thirdshift.errors import DocumentUnreadable
from thirdshift.records import Extract, Ingested

CAT = "吾輩は猫である。名前はまだ無い。"
AS_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")


def text_of(path: Path) -> str:
    return one(path).text


def one(path: Path) -> Extract:
    (extract,) = read(path)
    return extract


def refusal(path: Path) -> str:
    with pytest.raises(DocumentUnreadable) as caught:
        read(path)
    return str(caught.value)


def save(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def pdf(*pages: str, title: str = "", password: str = "") -> bytes:
    made = FPDF()
    made.set_font("helvetica", size=12)
    if title:
        made.set_title(title)
    if password:
        made.set_encryption(owner_password="owner", user_password=password)
    for page in pages:
        made.add_page()
        made.multi_cell(0, 6, page)
    return bytes(made.output())


def japanese_pdf(*lines: str) -> bytes:
    """Make a PDF by hand that names a Japanese font without embedding it, as old ones do."""
    strings = b"".join(b"<%s> Tj T* " % line.encode("utf-16-be").hex().encode() for line in lines)
    content = b"BT /F1 12 Tf 50 800 Td 14 TL " + strings + b"ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [6 0 R] /Count 1 >>",
        b"<< /Type /Font /Subtype /Type0 /BaseFont /Kozuka /Encoding /UniJIS-UTF16-H"
        b" /DescendantFonts [4 0 R] >>",
        b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /Kozuka /CIDSystemInfo << /Registry"
        b" (Adobe) /Ordering (Japan1) /Supplement 6 >> /FontDescriptor 5 0 R /DW 1000 >>",
        b"<< /Type /FontDescriptor /FontName /Kozuka /Flags 4 /FontBBox [0 0 1000 1000]"
        b" /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 700 /StemV 80 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 7 0 R"
        b" /Resources << /Font << /F1 3 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    body = b"%PDF-1.5\n"
    for number, item in enumerate(objects, 1):
        body += b"%d 0 obj\n%s\nendobj\n" % (number, item)
    return body + b"trailer << /Root 1 0 R >>\n%%EOF\n"


def word() -> bytes:
    made = docx.Document()
    made.add_heading("議事録", level=1)
    made.add_paragraph("First paragraph.")
    made.add_paragraph("apples", style="List Bullet")
    made.add_paragraph("pears", style="List Bullet")
    table = made.add_table(rows=2, cols=2)
    for cell, value in zip(table._cells, ["name", "age", "太郎", "20"], strict=True):
        cell.text = value
    made.add_paragraph("After the table.")
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def mail(subject: str = "会議の件", body: str = CAT, charset: str = "iso-2022-jp") -> EmailMessage:
    made = EmailMessage()
    made["Subject"], made["From"] = subject, "山田 <yamada@example.jp>"
    made["To"], made["Date"] = "me@example.jp", "Mon, 02 Nov 2026 09:00:00 +0900"
    made.set_content(body, charset=charset)
    return made


# Text


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "cp932", "euc_jp", "iso2022_jp", "utf-16", "utf-16-le", "utf-32"],
)
@pytest.mark.parametrize("text", ["会議は十時から。\n", "メモ\n", CAT * 50 + "\r\nend"])
def test_japanese_is_right_in_every_encoding(tmp_path: Path, encoding: str, text: str) -> None:
    assert text_of(save(tmp_path / "note.txt", text.encode(encoding))) == text


@pytest.mark.parametrize("text", ["café", "Müller schön für Größe", "crème brûlée", "señor año"])
def test_short_western_text_is_not_taken_for_japanese(tmp_path: Path, text: str) -> None:
    assert text_of(save(tmp_path / "note.txt", text.encode("cp1252"))) == text


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp"])
@pytest.mark.parametrize("text", ["東京", "薔薇の名前", "価格：1,000円", "Meeting 会議 room"])
def test_a_few_kanji_are_enough(tmp_path: Path, encoding: str, text: str) -> None:
    assert text_of(save(tmp_path / "note.txt", text.encode(encoding))) == text


def test_one_bad_byte_does_not_turn_utf8_into_mojibake(tmp_path: Path) -> None:
    data = (CAT * 20).encode()
    assert text_of(save(tmp_path / "cut.txt", data[:-1])).startswith(CAT)


def test_nul_never_reaches_the_text(tmp_path: Path) -> None:
    assert "\0" not in text_of(save(tmp_path / "log.txt", b"line\n" * 100 + b"\0end"))


def test_titles_come_from_where_a_reader_looks(tmp_path: Path) -> None:
    assert (
        one(save(tmp_path / "a.md", "```\n# no\n```\n\nIntro\n\n## Yes *so*\n")).title == "Yes *so*"
    )
    assert one(save(tmp_path / "a.txt", "\n\n  First line \nsecond")).title == "First line"
    code = one(save(tmp_path / "a.py", "x = 1\n"))
    assert (code.title, code.kind, code.language) == ("a.py", "code", "python")


# PDF


def test_pdf_pages_are_separated_and_wrapped_lines_joined(tmp_path: Path) -> None:
    long = "This is a long paragraph that runs over several lines of the page. " * 4
    text = text_of(save(tmp_path / "a.pdf", pdf(long, "Page two")))
    assert text == long.strip() + "\n\nPage two"


def test_japanese_pdf_lines_join_without_a_space(tmp_path: Path) -> None:
    lines = ("吾輩は猫である。名前はまだ無い。どこで生れたかと", "んと見当がつかぬ。", "終わり")
    text = text_of(save(tmp_path / "a.pdf", japanese_pdf(*lines)))
    assert text == "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n終わり"


def test_pdf_title_is_taken_when_sane(tmp_path: Path) -> None:
    assert one(save(tmp_path / "a.pdf", pdf("Hello", title="Report 2026"))).title == "Report 2026"
    poor = pdf("Hello", title="Microsoft Word - x.doc")
    assert one(save(tmp_path / "b.pdf", poor)).title == "Hello"


def test_bad_pdfs_say_why(tmp_path: Path) -> None:
    whole = pdf("Hello " * 500, "Two", "Three")
    assert "encrypted" in refusal(save(tmp_path / "a.pdf", pdf("secret", password="x")))
    assert "truncated" in refusal(save(tmp_path / "b.pdf", whole[: len(whole) // 2]))
    assert "has 2 pages and no text: it is a scan" in refusal(save(tmp_path / "c.pdf", pdf("", "")))
    assert "not a PDF" in refusal(save(tmp_path / "d.pdf", "hello"))


# HTML

PAGE = """<html><head><meta charset="{0}"><title>猫の話</title></head><body><nav>Menu</nav>
<h1>吾輩は猫である</h1><p>名前は<b>まだ</b>無い。どこで生れたか見当がつかぬ。</p>
<table><tr><th>名</th><th>年</th></tr><tr><td>猫</td><td>3</td></tr></table>
<script>var hidden = 1;</script></body></html>"""


@pytest.mark.parametrize("charset", ["utf-8", "Shift_JIS", "EUC-JP", "ISO-2022-JP"])
def test_html_honours_its_charset(tmp_path: Path, charset: str) -> None:
    page = one(save(tmp_path / "a.html", PAGE.format(charset).encode(charset)))
    assert page.title == "猫の話"
    assert "# 吾輩は猫である" in page.text
    assert "どこで生れたか" in page.text
    assert "| 猫 | 3 |" in page.text
    assert "hidden" not in page.text


def test_html_without_main_text_gives_what_a_reader_sees(tmp_path: Path) -> None:
    page = "<div>only <b>this</b></div><ul><li>one<li>two</ul><style>p {}</style>"
    assert text_of(save(tmp_path / "a.html", page)).replace("**", "").startswith("only this")
    assert "two" in text_of(tmp_path / "a.html")


def test_deeply_nested_html_is_read(tmp_path: Path) -> None:
    assert "deep" in text_of(save(tmp_path / "a.html", "<div>" * 240 + "deep"))


# DOCX


def test_docx_keeps_the_order_of_headings_lists_and_tables(tmp_path: Path) -> None:
    extract = one(save(tmp_path / "a.docx", word()))
    assert extract.title == "議事録"
    assert extract.text == (
        "# 議事録\n\nFirst paragraph.\n\n- apples\n- pears\n\n"
        "| name | age |\n|---|---|\n| 太郎 | 20 |\n\nAfter the table."
    )


def test_bad_docx_say_why(tmp_path: Path) -> None:
    data = word()
    assert "truncated" in refusal(save(tmp_path / "a.docx", data[: len(data) // 2]))
    assert "encrypted" in refusal(save(tmp_path / "b.docx", b"\xd0\xcf\x11\xe0" + b"\0" * 600))
    with zipfile.ZipFile(tmp_path / "c.docx", "w") as archive:
        archive.writestr("other.txt", "x")
    assert "without a Word document" in refusal(tmp_path / "c.docx")


def test_a_zip_bomb_is_refused_unopened(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"word/{number}.xml", bytes(50_000_000))
    assert "unpacks to 250 MB" in refusal(tmp_path / "a.docx")


# Mail


def test_mail_is_decoded_and_attachments_named(tmp_path: Path) -> None:
    made = mail()
    made.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="見積書.pdf")
    extract = one(save(tmp_path / "a.eml", made.as_bytes()))
    assert extract.title == "会議の件"
    assert extract.text.startswith("Subject: 会議の件\nFrom: 山田 <yamada@example.jp>\nTo: me@")
    assert CAT in extract.text
    assert extract.text.endswith("Attachments: 見積書.pdf")


def test_mail_of_html_alone_is_read_as_text(tmp_path: Path) -> None:
    made = mail()
    made.set_content(f"<p>{CAT}</p><script>no</script>", subtype="html", charset="utf-8")
    text = text_of(save(tmp_path / "a.eml", made.as_bytes()))
    assert CAT in text
    assert "<p>" not in text


def test_plain_text_is_taken_before_html(tmp_path: Path) -> None:
    made = mail(body="plain body\n> quoted\n", charset="utf-8")
    made.add_alternative("<p>html body</p>", subtype="html")
    text = text_of(save(tmp_path / "a.eml", made.as_bytes()))
    assert "> quoted" in text
    assert "html body" not in text


def test_mail_in_undeclared_bytes_and_vendor_characters_is_read(tmp_path: Path) -> None:
    raw = "Subject: 見積\nFrom: a@b\n\n本文です。\n".encode("cp932")
    assert text_of(save(tmp_path / "a.eml", raw)) == "Subject: 見積\nFrom: a@b\n\n本文です。"
    vendor = b"Subject: x\nContent-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B-!-j\x1b(B ok\n"
    assert text_of(save(tmp_path / "b.eml", vendor)).endswith("①㈱ ok")


def test_one_bad_mail_does_not_lose_the_others(tmp_path: Path) -> None:
    line = b"From me@example.jp Mon Nov  2 09:00:00 2026\n"
    mails = [line + mail(f"mail {n}").as_bytes() + b"\n" for n in range(3)]
    mails.insert(1, line + bytes(range(256)) + b"\n\n")
    extracts = read(save(tmp_path / "a.mbox", b"".join(mails)))
    assert [extract.title for extract in extracts] == ["mail 0", "mail 1", "mail 2"]


def test_a_body_line_that_begins_with_from_starts_no_mail(tmp_path: Path) -> None:
    body = "From here on it is easy.\n>From quoted\n"
    raw = b"From a@b Mon Nov  2 09:00:00 2026\n" + mail(body=body, charset="utf-8").as_bytes()
    assert "From here on" in text_of(save(tmp_path / "a.mbox", raw))


def test_what_is_no_mail_is_refused(tmp_path: Path) -> None:
    assert "no readable e-mail" in refusal(save(tmp_path / "a.eml", "just words"))


# Bad files


@pytest.mark.parametrize(
    "name", ["a.txt", "a.md", "a.pdf", "a.docx", "a.html", "a.eml", "a", "a.py"]
)
def test_empty_files_are_named_so(tmp_path: Path, name: str) -> None:
    assert "empty" in refusal(save(tmp_path / name, b""))
    assert "white space" in refusal(save(tmp_path / name, b" \n\t\n"))


def test_binary_is_refused_under_any_name(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(5000)
    assert "binary" in refusal(save(tmp_path / "a.txt", noise))
    assert "binary" in refusal(save(tmp_path / "a.bin", noise))
    assert "binary" in refusal(save(tmp_path / "a.png", b"\x89PNG\r\n\x1a\n" + noise))


def test_a_sparse_file_of_two_gigabytes_costs_nothing(tmp_path: Path) -> None:
    with (tmp_path / "big.txt").open("wb") as file:
        file.truncate(2_000_000_000)
    assert "2,000 MB" in refusal(tmp_path / "big.txt")


def test_pipes_sockets_devices_and_folders_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    short = Path(os.path.relpath(tmp_path / "s.txt"))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(short))
        for path in (tmp_path / "pipe.txt", short, Path("/dev/zero"), tmp_path):
            assert "no regular file" in refusal(path)


def test_missing_and_looping_paths_say_so(tmp_path: Path) -> None:
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    assert "does not exist" in refusal(tmp_path / "none.txt")
    assert "leads back to itself" in refusal(tmp_path / "loop.txt")


@AS_ROOT
def test_a_file_without_permission_says_so(tmp_path: Path) -> None:
    save(tmp_path / "a.txt", "secret").chmod(0)
    assert "permission" in refusal(tmp_path / "a.txt")


def samples() -> dict[str, bytes]:
    box = b"From a@b Mon Nov  2 09:00:00 2026\n" + mail().as_bytes()
    return {
        "a.pdf": pdf("Hello world", "Two"),
        "j.pdf": japanese_pdf(CAT),
        "a.docx": word(),
        "a.html": PAGE.format("Shift_JIS").encode("cp932"),
        "a.eml": mail().as_bytes(),
        "a.mbox": box * 3,
        "a.md": f"# 猫\n\n{CAT}".encode("euc_jp"),
        "a.txt": CAT.encode("utf-16"),
        "unknown": CAT.encode("cp932"),
    }


@pytest.mark.parametrize("name", sorted(samples()))
def test_only_document_unreadable_escapes_from_damaged_files(tmp_path: Path, name: str) -> None:
    whole, dice = samples()[name], random.Random(name)
    for _ in range(60):
        data = bytearray(whole[: dice.randrange(len(whole)) if dice.random() < 0.5 else None])
        for _ in range(dice.randrange(20) if data else 0):
            data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            extracts = read(save(tmp_path / name, bytes(data)))
        except DocumentUnreadable as error:
            assert error.what
        else:
            assert all("\0" not in extract.text for extract in extracts)


# Folders


def paths(found: list[Path | Ingested]) -> list[str]:
    return [item.name for item in found if isinstance(item, Path)]


def test_walk_is_sorted_reads_nothing_twice_and_ends(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    (folder / "sub").mkdir(parents=True)
    for name in ("b.md", "a.txt", "sub/c.py", ".git", "sub/photo.jpg", "~$b.docx"):
        save(folder / name, b"\xff\xd8\xff\0\0" if name.endswith("jpg") else b"text")
    (folder / "sub" / "back").symlink_to(folder)
    (folder / "z.md").symlink_to("b.md")
    os.mkfifo(folder / "pipe")
    found = list(walk([folder, folder / "a.txt"], [".git"]))
    assert found == [folder / "a.txt", folder / "b.md", folder / "sub" / "c.py"]


def test_walk_names_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "dead.md").symlink_to("nowhere")
    save(tmp_path / "p.png", b"\x89PNG\r\n\x1a\n\0\0\0")
    os.mkfifo(tmp_path / "pipe")
    given = [tmp_path / "missing", tmp_path / "folder", tmp_path / "p.png", tmp_path / "pipe"]
    found = list(walk(given, []))
    assert all(isinstance(item, Ingested) and item.result == "rejected" for item in found)
    reasons = [item.reason for item in found if isinstance(item, Ingested)]
    assert ["exist" in reasons[0], "exist" in reasons[1]] == [True, True]
    assert ".png" in reasons[2]
    assert "no regular file" in reasons[3]


def test_walk_goes_deeper_than_the_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(1100):
        Path("d").mkdir()
        monkeypatch.chdir("d")
    save(Path("a.txt"), "deep")
    monkeypatch.chdir(tmp_path)
    found = list(walk([tmp_path], []))
    subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # too deep for pytest's own clean-up
    assert paths(found) == ["a.txt"]


@AS_ROOT
def test_walk_names_an_unreadable_folder(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    (found,) = walk([tmp_path / "locked"], [])
    assert isinstance(found, Ingested)
    assert "permission" in found.reason


def test_a_file_name_that_is_not_utf8_is_rejected_printably(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt")).write_text("x")
    except OSError:
        pytest.skip("this file system refuses such names")
    (found,) = walk([tmp_path], [])
    assert isinstance(found, Ingested)
    assert str(found.path).isprintable()


def test_kinds_are_told_by_suffix_then_by_content(tmp_path: Path) -> None:
    assert kind_of(Path("A.PDF")) == "pdf"
    assert kind_of(save(tmp_path / "paper", pdf("x"))) == "pdf"
    assert kind_of(save(tmp_path / "README", "hello")) == "text"
    assert kind_of(save(tmp_path / "page", "<!DOCTYPE html><p>x")) == "html"
    assert kind_of(save(tmp_path / "x.zip", b"PK\x03\x04" + b"\0" * 30)) is None

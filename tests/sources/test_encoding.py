"""Bytes to text: what is declared, what is true, and what is guessed when nothing is declared."""

from __future__ import annotations

import codecs
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digestmail.errors import SourceUnreadableError
from digestmail.sources.encoding import decode

TEXTS = {
    "ru": ("Как учить модели на коротких текстах", ["windows-1251", "koi8-r", "iso-8859-5"]),
    "uk": ("Як навчати моделі на коротких текстах і чому їх мало", ["windows-1251", "koi8-u"]),  # noqa: RUF001 - Ukrainian
    "ja": ("短い文章から学ぶ言語モデルについて", ["shift_jis", "euc_jp"]),
    "zh": ("从短文本中学习的语言模型及其评估", ["gbk", "gb18030"]),
    "zh-Hant": ("從短文本中學習的語言模型及其評估", ["big5"]),
    "ko": ("짧은 글에서 배우는 언어 모델에 대하여", ["euc_kr"]),
    "de": ("Über Größen, die für Übungen an kürzeren Sätzen nötig wären", ["iso-8859-1", "windows-1252"]),
    "pl": ("Jak uczyć modele na krótszych źródłach i dlaczego się to opłaca", ["iso-8859-2", "windows-1250"]),
    "el": ("Πώς μαθαίνουν τα μοντέλα από σύντομα κείμενα", ["iso-8859-7", "windows-1253"]),
    "he": ("כיצד לומדים מודלים מטקסטים קצרים", ["windows-1255"]),
    "ar": ("كيف تتعلم النماذج من نصوص قصيرة", ["windows-1256"]),
}
CASES = [(text, encoding) for text, encodings in TEXTS.values() for encoding in encodings]


def feed(title: str, declaration: str = '<?xml version="1.0"?>') -> str:
    return (
        f'{declaration}<rss version="2.0"><channel><title>Blog</title><item><title>{title}</title>'
        "<link>https://blog.example.org/short</link><description>On short texts.</description></item></channel></rss>"
    )


@pytest.mark.parametrize(("title", "encoding"), CASES)
def test_an_encoding_that_nobody_declares_is_guessed(title, encoding):
    document = feed(title)
    assert decode(document.encode(encoding)) == document


@pytest.mark.parametrize(("title", "encoding"), CASES)
def test_the_encoding_of_the_declaration_or_of_the_answer_is_taken(title, encoding):
    declared = feed(title, f"<?xml version='1.0' encoding='{encoding}'?>")
    assert decode(declared.encode(encoding)) == declared
    assert decode(feed(title).encode(encoding), f'application/rss+xml; charset="{encoding}"') == feed(title)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("declared", ["", "utf-8", "utf-16", "iso-8859-1"])
def test_unicode_is_known_by_its_bytes(encoding, declared):
    document = feed("Größe Цена 値段", f"<?xml version='1.0' encoding='{declared}'?>" if declared else "")
    assert decode(document.encode(encoding)) == document


def test_utf_8_that_is_called_latin_1_is_utf_8():
    document = feed("Größe – “alles”", "<?xml version='1.0' encoding='iso-8859-1'?>")
    assert decode(document.encode(), "text/xml; charset=iso-8859-1") == document


def test_what_the_web_calls_latin_1_is_windows_1252():
    document = feed("“Größe” – 5 €", "<?xml version='1.0' encoding='iso-8859-1'?>")
    assert decode(document.encode("windows-1252")) == document


def test_a_declaration_that_does_not_fit_is_passed_over():
    document = feed("Über größere Sätze und schönere Übungen", "<?xml version='1.0' encoding='utf-8'?>")
    assert decode(document.encode("windows-1252")) == document
    unknown = feed("Größe", "<?xml version='1.0' encoding='x-nonsense'?>")
    assert decode(unknown.encode()) == unknown


def test_a_letter_that_was_cut_in_two_costs_no_other_letter():
    document = feed("Über größere Sätze und schönere Übungen, gemäß früherer Änderungen")
    broken = document.encode().replace(b"<description>", b"<description>\xc3")
    assert decode(broken).startswith(document[: document.index("<description>")])
    japanese = feed("短い文章から学ぶ言語モデルについて", "<?xml version='1.0' encoding='shift_jis'?>")
    cut = japanese.encode("shift_jis").replace(b"<description>", b"<description>\x81")
    assert decode(cut).startswith(japanese[: japanese.index("<description>")])


def test_a_charset_that_the_server_gives_to_everything_does_not_outweigh_the_document():
    document = feed("Как учить модели", "<?xml version='1.0' encoding='windows-1251'?>")
    assert decode(document.encode("windows-1251"), "text/xml; charset=ISO-8859-1") == document


@pytest.mark.parametrize("name", ["utf-7", "punycode", "idna", "unicode_escape", "rot13", "zip", "undefined", "mbcs"])
def test_codecs_that_are_no_encodings_of_documents_are_not_used(name):
    document = feed("a+ADw-b \\x3cc", f"<?xml version='1.0' encoding='{name}'?>")
    assert decode(document.encode()) == document


def test_letters_far_behind_the_beginning_are_found():
    document = feed("x" * 300_000 + " Как учить модели на коротких текстах и зачем это нужно")
    assert decode(document.encode("windows-1251")) == document


def test_a_document_in_ebcdic_is_refused():
    with pytest.raises(SourceUnreadableError, match="EBCDIC"):
        decode(feed("a").encode("cp037"))


@settings(deadline=None)
@given(st.binary(max_size=300).filter(lambda body: not body.startswith(b"\x4c\x6f\xa7\x94")), st.text(max_size=40))
def test_any_bytes_become_text(body, content_type):
    assert isinstance(decode(body, content_type), str)


@pytest.mark.parametrize("piece", [b"\xff", b"\xe9a", b"\x81\x40", b"<?xml encoding='", codecs.BOM_UTF16_LE])
def test_long_bodies_cost_linear_time(piece):
    body = piece * (4_000_000 // len(piece))
    began = time.process_time()
    decode(body)
    assert time.process_time() - began < 3

"""The operator's own page templates run in the sandbox of the emails' templates."""

from __future__ import annotations

import pytest
from websites import ask, create_app, open_app


@pytest.mark.parametrize(
    "source",
    [
        "{{ url.__globals__ }}",
        "{{ digests[0].__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ url.__code__.co_filename }}",
        "{{ '{0.__class__}'.format(digests) }}",
        "{% for n in range(10**9) %}{% endfor %}",
        "{{ missing }}",
    ],
)
def test_a_template_cannot_leave_the_sandbox(sqlite, tmp_path, source, caplog):
    (tmp_path / "own" / "web").mkdir(parents=True)
    (tmp_path / "own" / "web" / "subscribe.html").write_text(source)
    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        app.config = app.config.model_copy(update={"templates_dir": tmp_path / "own"})
        answer = ask(create_app(app), "/subscribe")
    assert answer.status == 500
    assert "with the number" in answer.text
    assert not any(word in answer.text for word in ("object at", "class '", ".py"))
    assert "subscribe.html" in caplog.text, "the log names the template"


def test_a_harmless_template_replaces_ours(sqlite, tmp_path):
    (tmp_path / "own" / "web").mkdir(parents=True)
    (tmp_path / "own" / "web" / "subscribe.html").write_text("{{ digests[0].title }}: {{ url('/x') }} <{{ '<' }}>")
    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as app:
        app.config = app.config.model_copy(update={"templates_dir": tmp_path / "own"})
        assert ask(create_app(app), "/subscribe").text == "Trending papers: /x <&lt;>"

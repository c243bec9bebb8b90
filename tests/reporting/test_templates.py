import pytest

from sqzkit.exploration import page as explore_page
from sqzkit.reporting import compression, page, templates


def test_a_page_gets_frame_and_style(tmp_path):
    template = tmp_path / "mine.html"
    template.write_text(
        '{% extends "base.html" %}{% block title %}{{ name }}{% endblock %}'
        "{% block main %}<p>{{ share | percent }} {{ count | thousands }} {{ name }}</p>"
        "{% endblock %}"
    )
    text = templates.render(template, name="a <b>", share=0.5, count=12345)
    assert "<title>a &lt;b&gt;</title>" in text
    assert "<p>50.00 % 12,345 a &lt;b&gt;</p>" in text
    assert "prefers-color-scheme: dark" in text
    assert text.count("</style>") == text.count("</html>") == 1


@pytest.mark.parametrize("module", [page, compression, explore_page])
def test_no_template_brings_a_style_of_its_own(module):
    assert "<style" not in module.TEMPLATE.read_text(encoding="utf-8")

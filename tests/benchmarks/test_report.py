import pytest
from parts.result import Plot, Result, Table
from report import DOCS, HERE, PAGES, RESULTS, write_page


def result(title):
    return Result(
        title=title,
        command="python benchmarks/scale.py",
        tables=[Table("Cost", ["sources", "cores"], [["1", "0.02"], ["2", "0.04"]], "Linear.")],
        plots=[Plot("Cores", "sources", "cores", {"home": [(1, 0.02), (2, 0.04)]}, True)],
        machine="a machine",
        date="2026-01-01",
    )


def test_a_result_survives_being_saved(tmp_path):
    saved = result("Scale")
    saved.save("scale", tmp_path)
    loaded = Result.load(tmp_path / "scale.json")
    assert loaded.tables == saved.tables
    assert [(x, y) for x, y in loaded.plots[0].series["home"]] == [(1, 0.02), (2, 0.04)]


def test_what_a_reader_asks_first_comes_first(tmp_path):
    for name in ("scale", "engines"):
        result(name).save(name, tmp_path)
    write_page("performance", tmp_path, tmp_path)
    page = (tmp_path / "performance.md").read_text()
    assert page.index("## engines") < page.index("## scale")


def test_a_page_holds_what_was_written_by_hand_around_the_tables(tmp_path):
    result("Scale").save("scale", tmp_path)
    write_page("performance", tmp_path, tmp_path)
    page = (tmp_path / "performance.md").read_text()
    first, last = (HERE / "performance.md").read_text().split("<!-- results -->")
    assert page.startswith(first.strip())
    assert page.endswith(last.strip() + "\n")
    assert "| 2 | 0.04 |" in page
    assert "![Cores](performance/scale-1.svg)" in page


def test_the_plots_of_an_older_page_go(tmp_path):
    for name in ("scale", "latency"):
        result(name).save(name, tmp_path / name)
        write_page("performance", tmp_path / name, tmp_path)
    assert [path.name for path in (tmp_path / "performance").iterdir()] == ["latency-1.svg"]


def test_every_result_is_on_a_page():
    on_pages = {name for names in PAGES.values() for name in names}
    assert {path.stem for path in RESULTS.glob("*.json")} <= on_pages


@pytest.mark.parametrize("page", PAGES)
def test_the_page_in_the_documentation_is_that_of_the_results(tmp_path, page):
    write_page(page, RESULTS, tmp_path)
    assert (tmp_path / f"{page}.md").read_text() == (DOCS / f"{page}.md").read_text()

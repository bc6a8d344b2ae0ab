from report import RESULTS, WRITTEN, read_results, write_report
from result import Plot, Result, Table

DOCS = WRITTEN.parents[1] / "docs"


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
    for name in ("another", "scale", "engines"):
        result(name).save(name, tmp_path)
    assert list(read_results(tmp_path)) == ["engines", "scale", "another"]


def test_the_page_holds_what_was_written_by_hand_around_the_tables(tmp_path):
    write_report({"scale": result("Scale")}, "# Top\n\n<!-- results -->\n\n## End\n", tmp_path)
    page = (tmp_path / "performance.md").read_text()
    assert page.index("# Top") < page.index("| 2 | 0.04 |") < page.index("## End")
    assert "![Cores](performance/scale-1.svg)" in page


def test_the_plots_of_an_older_page_go(tmp_path):
    write_report({"scale": result("Scale")}, "", tmp_path)
    write_report({"latency": result("Latency")}, "", tmp_path)
    assert [path.name for path in (tmp_path / "performance").iterdir()] == ["latency-1.svg"]


def test_the_page_in_the_documentation_is_that_of_the_results(tmp_path):
    write_report(read_results(RESULTS), WRITTEN.read_text(), tmp_path)
    assert (tmp_path / "performance.md").read_text() == (DOCS / "performance.md").read_text()

"""local.saved: what was written since the last look."""

import pytest

from local.saved import SavedFiles


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a module and a template."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "one.py").write_text("1")
    (tmp_path / "template.yaml").write_text("a: 1")
    return tmp_path


@pytest.fixture
def saved(folder):
    """Return the watched module and template."""
    return SavedFiles(folder / "src", folder / "template.yaml")


def test_a_saved_file_is_returned_once(saved, folder):
    """A saved file is returned by the next call, and by no other."""
    one = folder / "src" / "one.py"
    assert saved.new() == set()
    one.write_text("12")
    assert saved.new() == {one}
    assert saved.new() == set()


def test_a_file_that_is_still_written_is_awaited(saved, folder, monkeypatch):
    """A call returns when two looks find the files equal, with all that was written meanwhile."""
    one, two = folder / "src" / "one.py", folder / "src" / "two.py"
    writes = [(two, "2"), (one, "1234"), (one, "123")]

    def write_more(_seconds):
        if writes:
            path, text = writes.pop()
            path.write_text(text)

    monkeypatch.setattr("local.saved.time.sleep", write_more)
    one.write_text("12")
    assert saved.new() == {one, two}
    assert writes == []
    assert saved.new() == set()


def test_new_removed_and_replaced_files_are_returned(saved, folder):
    """A new file, a removed one and one replaced by its editor are saves of one look."""
    one, two, template = (
        folder / "src" / "one.py",
        folder / "src" / "two.py",
        folder / "template.yaml",
    )
    one.unlink()
    two.write_text("2")
    (folder / "draft").write_text("a: 22")
    (folder / "draft").replace(template)
    assert saved.new() == {one, two, template}


def test_what_editors_and_python_leave_is_no_save(saved, folder):
    """Hidden files, swap files and byte code are not returned."""
    cache = folder / "src" / "__pycache__"
    cache.mkdir()
    for path in (cache / "one.py", folder / "src" / ".#one.py", folder / "src" / "one.py~"):
        path.write_text("x")
    assert saved.new() == set()

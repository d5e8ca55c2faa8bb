"""`realingo init`: what it writes loads, fits what lies in a folder, and replaces nothing unasked."""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import tomllib
from pathlib import Path

import pytest
from rehearsal import realingo

from search.config.study_config import load
from search.starting.folder_survey import survey
from search.starting.recipes import BASE, SMALL, TINY, Recipe, recipe_for
from selector.errors import InputError

TREE = "1\tA\t_\tNOUN\t_\t_\t_\t_\t_\t_\n\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Moses text in deu, fra and tur as OPUS names it; treebanks of eng, deu, fra (UD's names) and swh without text."""
    folder = tmp_path / "data"
    text, banks = folder / "bitext", folder / "ud"
    text.mkdir(parents=True)
    banks.mkdir()
    for code in ("de", "fr", "tr"):
        for side in ("en", code):
            (text / f"bible.{'-'.join(sorted(('en', code)))}.{side}").write_text("a b\nc d\n", encoding="utf-8")
    for name in ("eng.train", "eng.dev", "deu.dev", "deu.test", "swh.test"):
        (banks / f"{name}.conllu").write_text(TREE, encoding="utf-8")
    released = banks / "UD_French-GSD"
    released.mkdir()
    for split in ("dev", "test"):
        (released / f"fr_gsd-ud-{split}.conllu").write_text(TREE, encoding="utf-8")
    return folder


def test_without_flags_it_is_the_world(tmp_path: Path) -> None:
    file = tmp_path / "first.toml"
    assert realingo("init", "-o", str(file), "--yes") == 0
    config = load(file)
    assert (config.name, config.core.model.base, len(config.pool), config.sizes) == ("first", "world", 24, (4, 4))
    assert len(config.held_out) == 8


def test_a_folder_is_looked_at(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "own.toml"
    assert realingo("init", "-o", str(file), "--from-folder", str(data), "--json") == 0
    said = json.loads(capsys.readouterr().out)
    config = load(file)
    assert [language.code for language in config.pool] == ["deu", "fra"]
    assert config.tune == config.pool
    assert [language.code for language in config.held_out] == ["swh"]
    assert config.core.model.base == "xlm-roberta-base"
    assert said["next"] == f"realingo check {file}"
    assert any("tur" in remark and "treebank" in remark for remark in said["remarks"])


def test_check_finds_nothing_missing_in_the_folder(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.toml"
    nowhere = str(tmp_path / "no-encoder")
    assert realingo("init", "-o", str(file), "--from-folder", str(data), "--model", nowhere) == 0
    capsys.readouterr()
    assert realingo("check", str(file), "--json") == 2
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert [each["error"] for each in problems if "no-encoder" not in each["error"]] == []


def test_a_language_without_a_dev_treebank_is_not_tuned_on(data: Path, tmp_path: Path) -> None:
    (data / "ud" / "deu.dev.conllu").unlink()
    file = tmp_path / "own.toml"
    assert realingo("init", "-o", str(file), "--from-folder", str(data)) == 0
    config = load(file)
    assert [language.code for language in config.pool] == ["deu", "fra"]
    assert [language.code for language in config.tune] == ["fra"]


@pytest.mark.parametrize(
    ("file", "name"),
    [("my study.toml", "my-study"), ("größe (2).toml", "groe-2"), (".toml", "toml"), ("研究.toml", "study")],
)
def test_any_file_name_gives_a_name(file: str, name: str, tmp_path: Path) -> None:
    assert realingo("init", "-o", str(tmp_path / file), "--yes") == 0
    assert load(tmp_path / file).name == name


def test_what_is_said_of_the_pool_is_of_its_own_languages(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """German has no dev set, Turkish no test set: both are told of unless the pool that was asked for has neither."""
    (data / "ud" / "deu.dev.conllu").unlink()
    told = []
    for name, flags in (("all", ()), ("one", ("--pool", "fra"))):
        assert realingo("init", "-o", str(tmp_path / f"{name}.toml"), "--from-folder", str(data), *flags) == 0
        told.append(capsys.readouterr().out)
    for sentence in ("no dev treebank: deu", "no test treebank: tur"):
        assert [sentence in each for each in told] == [True, False]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_place_that_takes_no_file_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert realingo("init", "-o", "/proc/study.toml", "--yes") == 2
    assert "error: cannot write /proc/study.toml" in capsys.readouterr().err


@pytest.mark.parametrize("pool", ["deu,tur,swh", "paper-65"])
def test_of_a_pool_what_the_folder_lacks_is_left_out_and_said(
    pool: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.toml"
    assert realingo("init", "-o", str(file), "--from-folder", str(data), "--pool", pool, "-k", "1", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    config = load(file)
    assert {language.code for language in config.pool} == {"deu"} | ({"fra"} if pool == "paper-65" else set())
    assert [language.code for language in config.held_out] == ["swh"]
    assert any("left out" in remark and "swh" in remark for remark in said["remarks"])


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--pool", "jpn"], "no language of --pool"),
        (["--model", "world"], "embedded world alone"),
        (["-k", "9"], "own.toml"),
    ],
)
def test_what_does_not_fit_the_folder_is_said_of_the_file(
    flags: list[str], says: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.toml"
    assert realingo("init", "-o", str(file), "--from-folder", str(data), *flags) == 2
    printed = capsys.readouterr().err
    assert says in printed
    assert ".init-" not in printed
    assert not file.exists()


@pytest.mark.parametrize(
    ("names", "kind"),
    [(("eng.txt", "deu.txt"), "verses"), (("deu.tsv",), "tsv"), (("eng-deu.eng", "eng-deu.deu"), "moses")],
)
def test_every_kind_of_parallel_text_is_seen(data: Path, names: tuple[str, ...], kind: str) -> None:
    for file in (data / "bitext").iterdir():
        file.unlink()
    for name in names:
        (data / "bitext" / name).write_text("MAT.1.1\tx\n" if kind != "moses" else "x\n", encoding="utf-8")
    found = survey(data, "eng")
    assert [text.kind for text in found.texts] == [kind]
    assert found.translated == ("deu",)


def test_named_sets_of_the_hub(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    flags = [
        "--model",
        "xlm-roberta-base",
        "--parallel",
        "opus-100",
        "--task",
        "wikiann",
        "--pool",
        "deu,fra,tur",
        "-k",
        "2",
    ]
    assert realingo("init", "-o", str(file), *flags) == 0
    config = load(file)
    assert (config.core.task.kind, config.sizes) == ("ner", (2, 2))


def test_nothing_is_replaced_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "study.toml"
    file.write_text("mine", encoding="utf-8")
    assert realingo("init", "-o", str(file)) == 2
    assert "--yes" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "mine"
    assert realingo("init", "-o", str(file), "--yes") == 0
    assert load(file).name == "study"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--task", "nothing"], "no task set 'nothing'"),
        (["--model", "m", "--parallel", "nothing"], "nothing"),
        (["--from-folder", "nowhere"], "no folder nowhere"),
        (["--source", "xyzzy"], "xyzzy"),
        (["--from-folder", ".", "--task", "udpos"], "from the folder alone"),
        (["-k", "40"], "pool"),
    ],
)
def test_what_does_not_fit_writes_nothing(
    flags: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert realingo("init", *flags) == 2
    printed = capsys.readouterr()
    assert says in printed.err
    assert printed.out == ""
    assert list(tmp_path.iterdir()) == []


def test_text_and_treebanks_may_lie_in_several_folders_and_deep(data: Path, tmp_path: Path) -> None:
    deep = data / "more" / "corpora" / "web"
    deep.mkdir(parents=True)
    (deep / "fin.tsv").write_text("a b\tc d\n", encoding="utf-8")
    banks = data / "own" / "trees"
    banks.mkdir(parents=True)
    for split in ("dev", "test"):
        (banks / f"fin.{split}.conllu").write_text(TREE, encoding="utf-8")
    file = tmp_path / "own.toml"
    assert realingo("init", "-o", str(file), "--from-folder", str(data)) == 0
    config = load(file)
    assert [language.code for language in config.pool] == ["deu", "fin", "fra"]
    assert [each.kind for each in config.core.data.parallel] == ["moses", "tsv"]
    assert [each.folder for each in config.core.data.parallel] == ["data/bitext", "data/more/corpora/web"]
    assert [each.folder for each in config.core.task_data] == ["data/own/trees", "data/ud"]


TABLE = "text\tlabel\nx\tgood\n"


@pytest.mark.parametrize(
    ("files", "task", "kind"),
    [
        ({"{code}.{split}.jsonl": '{"text": "x", "label": "good"}\n'}, "classification", "table"),
        ({"{code}.{split}.tsv": TABLE}, "classification", "table"),
        ({"{code}.{split}.conll": "Anna B-PER\n\n"}, "ner", "conll"),
    ],
)
def test_every_kind_of_labels_is_seen(files: dict[str, str], task: str, kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "deu.tsv").write_text("a\tb\n", encoding="utf-8")
    for name, text in files.items():
        for code, splits in {"eng": ("train",), "deu": ("dev", "test")}.items():
            for split in splits:
                (folder / name.format(code=code, split=split)).write_text(text, encoding="utf-8")
    found = survey(folder, "eng")
    assert (found.task, [each.kind for each in found.sets]) == (task, [kind])
    assert (found.translated, found.pool) == (("deu",), ("deu",))  # a table of labels is no parallel text
    file = tmp_path / "own.toml"
    assert realingo("init", "-o", str(file), "--from-folder", str(folder)) == 0
    assert load(file).core.task.kind == task


def test_another_task_of_the_folder_is_said_and_can_be_taken(data: Path, tmp_path: Path) -> None:
    for name in ("eng.train", "deu.dev", "deu.test"):
        (data / "ud" / f"{name}.conll").write_text("Anna B-PER\n\n", encoding="utf-8")
    found = survey(data, "eng")
    assert (found.task, found.other_tasks) == ("pos", ("ner",))
    assert any("--task" in remark for remark in found.remarks())
    file = tmp_path / "own.toml"
    assert realingo("init", "-o", str(file), "--from-folder", str(data), "--task", "ner") == 0
    assert (load(file).core.task.kind, [each.code for each in load(file).pool]) == ("ner", ["deu"])


def test_another_source_language(data: Path, tmp_path: Path) -> None:
    for side in ("de", "fr"):
        (data / "bitext" / f"bible.de-fr.{side}").write_text("a b\n", encoding="utf-8")
    (data / "ud" / "deu.train.conllu").write_text(TREE, encoding="utf-8")
    file = tmp_path / "own.toml"
    assert realingo("init", "-o", str(file), "--from-folder", str(data), "--source", "German") == 0
    config = load(file)
    assert (config.core.source.code, [each.code for each in config.pool]) == ("deu", ["fra"])


def test_of_a_pool_what_the_sets_of_the_hub_lack_is_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "hub.toml"
    flags = ("--model", "m", "--parallel", "opus-100", "--task", "xnli", "--pool", "deu,fra,quy", "-k", "1")
    assert realingo("init", "-o", str(file), *flags) == 0
    assert "no such language: quy" in capsys.readouterr().out
    assert [each.code for each in load(file).pool] == ["deu", "fra"]


def test_an_editor_finds_the_schema_where_the_project_lies() -> None:
    from search.starting import init

    home = Path(init.__file__).resolve().parents[2]
    if (home / "docs" / "study.schema.json").is_file():
        assert init._schema(home / "studies" / "mine.toml") == "../docs/study.schema.json"
    assert init._schema(Path("/mine.toml")) == "study.schema.json"


def test_a_folder_without_a_training_treebank_is_refused(data: Path) -> None:
    (data / "ud" / "eng.train.conllu").unlink()
    with pytest.raises(InputError, match="no training treebank of eng"):
        survey(data, "eng")


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert realingo("--version") == 0
    assert capsys.readouterr().out == f"realingo {version('realingo')}\n"


def _sit_at_the_terminal() -> None:
    """In the new process: keys of the terminal are for it, Ctrl-C too, which what runs in the background ignores."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """`realingo init` on a terminal of its own (a pseudo-terminal): what it shows, and answers typed to it."""

    def __init__(self, folder: Path) -> None:
        self._main, side = pty.openpty()
        command = [sys.executable, "-m", "search", "init"]
        root = Path(__file__).parents[2]
        environment = {**os.environ, "PYTHONPATH": str(root), "NO_COLOR": "1", "COLUMNS": "120"}
        self._process = subprocess.Popen(
            command, cwd=folder, stdin=side, stdout=side, stderr=side, env=environment, start_new_session=True,
            preexec_fn=_sit_at_the_terminal,
        )  # fmt: skip
        os.close(side)
        self.text = ""
        self._seen = 0  # up to the end of what was waited for last

    def wait_for(self, words: str) -> None:
        """Read until the words are there, behind those that were waited for before."""
        while words not in self.text[self._seen :]:
            ready, _, _ = select.select([self._main], [], [], 60)
            assert ready, f"'{words}' did not come: {self.text}"
            self.text += os.read(self._main, 4096).decode("utf-8")
        self._seen = self.text.index(words, self._seen) + len(words)

    def type(self, text: str) -> None:
        os.write(self._main, text.encode("utf-8"))

    def press(self, key: str) -> None:
        """Once more while the process runs: a key that comes before the line editor is ready has no effect."""
        for _ in range(30):
            self.type(key)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
                return

    def end(self) -> int:
        """What is left is read; the exit status."""
        with contextlib.suppress(OSError):  # EIO: the other side is closed
            while select.select([self._main], [], [], 60)[0]:
                self.text += os.read(self._main, 4096).decode("utf-8")
        os.close(self._main)
        return self._process.wait(60)


def test_questions_on_a_terminal_lead_to_a_study(data: Path, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    for question, answer in (
        ("Folder with your data", "nowhere"),
        ("hint:", ""),
        ("Folder with your data", "data"),
        ("Language of fine-tuning [eng]", ""),
        ("Encoder [xlm-roberta-base]", "my-encoder"),
        ("How many languages to choose [1]", "two"),
        ("How many languages to choose [1]", "2"),
    ):
        terminal.wait_for(question)
        if question != "hint:":
            terminal.type(f"{answer}\n")
    assert terminal.end() == 0, terminal.text
    assert "there is no folder nowhere" in terminal.text
    assert "'two' is no number of languages" in terminal.text
    config = load(tmp_path / "study.toml")
    assert (config.core.model.base, config.sizes, [each.code for each in config.pool]) == (
        "my-encoder",
        (2, 2),
        ["deu", "fra"],
    )


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_leaving_the_questions_writes_nothing_and_says_so_in_one_line(key: str, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    terminal.wait_for("Folder with your data")
    terminal.press(key)
    assert terminal.end() == 130, terminal.text
    said = [line for line in terminal.text.replace("^C", "").splitlines()[1:] if line.strip()]
    assert said == ["nothing was written; 'realingo init' asks again"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("intfloat/multilingual-e5-small", SMALL),
        ("microsoft/Multilingual-MiniLM-L12-H384", SMALL),
        ("jhu-clsp/mmBERT-small", SMALL),
        ("xlm-roberta-base", BASE),
        ("google-bert/bert-base-multilingual-cased", BASE),
        ("small-lab/XLM-base", BASE),  # the owner's name says nothing
    ],
)
def test_an_unknown_encoder_is_judged_by_its_name(model: str, expected: Recipe, tmp_path: Path) -> None:
    assert recipe_for(model, tmp_path)[0] is expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [({"hidden_size": 96}, TINY), ({"hidden_size": 384}, SMALL), ({"dim": 768}, BASE), ([], BASE)],
)
def test_a_folder_is_judged_by_its_configuration(config: object, expected: Recipe, tmp_path: Path) -> None:
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert recipe_for("encoder", tmp_path)[0] is expected


@pytest.mark.parametrize(
    ("model", "kind", "recipe"), [("multilingual-e5-small", "udpos", SMALL), ("xlm-roberta-base", "xnli", BASE)]
)
def test_init_writes_the_recipe_of_the_encoders_size(model: str, kind: str, recipe: Recipe, tmp_path: Path) -> None:
    file = tmp_path / "sized.toml"
    assert realingo("init", "-o", str(file), "--model", model, "--task", kind, "--pool", "deu,tur,swh", "-k", "2") == 0
    config = load(file)
    for section, text in (
        (config.core.task, recipe.task(config.core.task.kind)),
        (config.core.realign, recipe.realign),
    ):
        wanted = tomllib.loads(text)
        assert {key: getattr(section, key) for key in wanted} == wanted


def test_the_page_of_recipes_has_the_numbers_of_init() -> None:
    page = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("| ")}
    for recipe in (TINY, SMALL, BASE):
        tuning, realign = tomllib.loads(recipe.tuning), tomllib.loads(recipe.realign)
        length = f"{tuning['epochs']} epochs" if "epochs" in tuning else f"{tuning['steps']:,} steps"
        assert f"{length} × {tuning['batch']}" in rows[f"`{recipe.name}`"]
        assert f"{realign['steps']:,} steps × {realign['batch']}" in rows[f"`{recipe.name}`"]

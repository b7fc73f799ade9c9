"""What the process that fetches an image data set does, with the real client against a hub on loopback."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medgan.data.limits import Limits
from medgan.errors import HubError
from medgan.hub import download, fetch_dataset, listing, rows
from medgan.hub.child import explained
from medgan.hub.failures import Target
from tests.hub.fakehub import TOKEN, FakeHub, Repo
from tests.hub.imagesets import NAME, classes, files_of, images_in, picture, table

PATIENCE = 20.0

Fails = Callable[..., str]
Get = Callable[..., dict[str, Any]]


@pytest.fixture
def get(hub: FakeHub, repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Get:
    """Fetch as the process does, in this one; the images lie in `tmp_path / "out"`."""
    monkeypatch.setattr(download, "WAIT", 0.0)
    monkeypatch.setattr(rows, "bound_memory", lambda: None)  # it would bound the tests, too

    def fetch(
        revision: str | None = None,
        count: int | None = None,
        seed: int = 0,
        patience: float = PATIENCE,
        **limits: int,
    ) -> dict[str, Any]:
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        request = fetch_dataset.Request(
            tmp_path / "cache", out, count, seed, Limits(**limits), patience, known=()
        )
        target = Target(NAME, revision, hub.endpoint, "data set")
        with explained(target):
            return fetch_dataset.fetch(request, target)

    return fetch


@pytest.fixture
def fails(get: Get, tmp_path: Path) -> Fails:
    """Fetch, see it fail, see no image, return the sentence."""

    def attempt(*arguments: Any, **options: Any) -> str:
        with pytest.raises(HubError) as caught:
            get(*arguments, **options)
        assert files_of(tmp_path / "out") == []
        return str(caught.value)

    return attempt


def test_only_the_drawn_files_are_downloaded_each_class_in_proportion(
    hub: FakeHub, get: Get, tmp_path: Path
) -> None:
    assert get(count=8)["of"] == 20
    assert classes(tmp_path / "out") == {"melanoma": 2, "nevus": 6}
    assert sum("/resolve/" in path for _, path, _ in hub.seen) == 8


def test_the_draw_is_the_seeds(get: Get, tmp_path: Path) -> None:
    drawn = []
    for seed in (0, 0, 1):
        get(count=8, seed=seed)
        drawn.append(files_of(tmp_path / "out"))
        (tmp_path / "out").rename(tmp_path / f"done{len(drawn)}")
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_listing_of_many_pages_is_read_to_its_end_on_the_same_server(
    hub: FakeHub, repo: Repo, get: Get
) -> None:
    repo.page = 7
    assert get()["images"] == 20
    assert sum("/tree/" in path for _, path, _ in hub.seen) == 4


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["nevus/a.png", "mole/b.JPG"], ["mole/b.jpg", "nevus/a.png"]),
        (["data/train/nevus/images/a.png"], ["nevus/data_train_images_a.png"]),
        (["train/p1/nevus/a.png", "train/p2/nevus/a.png"], ["nevus/train_p1_a.png", "nevus/train_p2_a.png"]),
        (
            ["TRAIN/nevus/PNG/a.png", "test_images/b.png"],
            ["nevus/TRAIN_PNG_a.png", "unlabelled/test_images_b.png"],
        ),
        (["ALL/a.png", "HEM/b.png"], ["ALL/a.png", "HEM/b.png"]),
        (["train/a.png", "b.png"], ["unlabelled/b.png", "unlabelled/train_a.png"]),
        (["x/scan.nii.gz", "y/slice.dcm"], ["x/scan.nii.gz", "y/slice.dcm"]),
    ],
)
def test_classes_come_from_folders(
    repo: Repo, get: Get, tmp_path: Path, paths: list[str], expected: list[str]
) -> None:
    repo.files = {path: picture(k) for k, path in enumerate(paths)}
    get()
    assert files_of(tmp_path / "out") == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("train/metadata.csv", "file_name,label\n000.png,benign\n001.png,malignant\nnone.png,x\n"),
        ("train/metadata.csv", "file_name,age,diagnosis\n./000.png,7,benign\n001.png,8,malignant\n"),
        ("train/metadata.csv", "file_name,label\n000.png,0\n001.png,1\n"),
        (
            "train/metadata.jsonl",
            '{"file_name": "000.png", "label": 0}\nbroken\n[]\n{"file_name": "001.png", "label": "1"}',
        ),
    ],
)
def test_classes_come_from_metadata(repo: Repo, get: Get, tmp_path: Path, name: str, text: str) -> None:
    repo.files = {"train/000.png": picture(0), "train/001.png": picture(1), name: text.encode()}
    labels = {"names": {"0": "benign", "1": "malignant"}}
    repo.card = {"dataset_info": {"features": [{"name": "label", "dtype": {"class_label": labels}}]}}
    get()
    assert files_of(tmp_path / "out") == ["benign/train_000.png", "malignant/train_001.png"]


@pytest.mark.parametrize("names_in", ["schema", "card"])
def test_parquet_classes_have_their_names_wherever_they_stand(
    repo: Repo, get: Get, tmp_path: Path, names_in: str
) -> None:
    names = ["benign", "malignant"]
    body = table([0, 1] * 6, names=names if names_in == "schema" else None)
    repo.files = {"data/test-00000-of-00001.parquet": body, "figure.png": picture(99)}
    if names_in == "card":
        dtype = {"class_label": {"names": {"0": "benign", "1": "malignant"}}}
        repo.card = {"dataset_info": [{"features": [{"name": "label", "dtype": dtype}]}]}
    assert get()["images"] == 12
    assert files_of(tmp_path / "out")[:2] == ["benign/test_000000.png", "benign/test_000002.png"]
    assert images_in(tmp_path / "out") == {picture(k) for k in range(12)}


def test_rows_of_several_shards_keep_their_own_class_and_image(repo: Repo, get: Get, tmp_path: Path) -> None:
    repo.files = {
        "data/train-0.parquet": table(["a", "b", "a"], path="p{}.png"),
        "data/test-0.parquet": table(["b", "b", None, "a"], path="q{}.png"),
    }
    get()
    expected = {
        "b/test_q0.png": 0, "b/test_q1.png": 1, "unlabelled/test_q2.png": 2, "a/test_q3.png": 3,
        "a/train_p0.png": 0, "b/train_p1.png": 1, "a/train_p2.png": 2,
    }  # fmt: skip
    assert {path: (tmp_path / "out" / path).read_bytes() for path in expected} == {
        path: picture(k) for path, k in expected.items()
    }


@pytest.mark.parametrize("labels", [None, [f"caption {k}" for k in range(201)], [None] * 12])
def test_parquet_without_usable_labels_is_one_class(
    repo: Repo, get: Get, tmp_path: Path, labels: list[Any] | None
) -> None:
    repo.files = {"train.parquet": table(labels)}
    get()
    assert set(classes(tmp_path / "out")) == {"unlabelled"}


def test_rows_without_an_image_are_counted(repo: Repo, get: Get) -> None:
    images = [{"bytes": body, "path": None} for body in (picture(0), b"<html>", None, b"")]
    type_ = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    stream = io.BytesIO()
    pq.write_table(pa.table({"image": pa.array(images, type_)}), stream)
    repo.files = {"train.parquet": stream.getvalue()}
    found = get()
    assert found["images"] == 1 and found["notes"] == ["3 rows hold no image of a known kind"]


def test_one_configuration_is_read_where_the_card_lists_several(repo: Repo, get: Get) -> None:
    repo.files = {"small/train-0.parquet": table([0] * 12), "large/train-0.parquet": table([0] * 13)}
    patterns = [
        {"config_name": name, "data_files": [{"split": "train", "path": f"{name}/train-*"}]}
        for name in ("small", "large")
    ]
    repo.card = {"configs": patterns}
    found = get()
    assert found["images"] == 12 and found["notes"] == ["only configuration small of 2 is read"]


HOSTILE = [
    "~/x.. /$(id).png",
    " ../ ..png.png",
    "C:\\Windows\\win.png",
    "a\\..\\..\\up\\y.png",
    f"{'long' * 75}/{'name' * 75}.png",
    "🩺🩺/😀.png",
    "con/nul.png",
    "a\nb\x1b[31m/c\td.png",
    "A/x.png",
    "a/X.png",
    "‮evil/‮gnp.png",
    "皮膚/黒子.png",
]


def test_hostile_names_stay_inside_and_apart(repo: Repo, get: Get, tmp_path: Path) -> None:
    repo.files = {path: picture(k) for k, path in enumerate(HOSTILE)}
    assert get()["images"] == len(HOSTILE)
    places = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert images_in(tmp_path / "out") == {picture(k) for k in range(len(HOSTILE))}
    relative = [path.relative_to(tmp_path / "out") for path in places]
    assert len({path.as_posix().casefold() for path in relative}) == len(HOSTILE)
    for path in relative:
        assert len(path.parts) == 2 and all(len(part.encode()) <= 200 for part in path.parts)
        assert not any(part.startswith(".") or set(part) & set('\\:*?"<>|\n\t\x1b') for part in path.parts)
        assert path.parts[0].lower() != "con"
    assert {path.parent.name for path in tmp_path.iterdir()} == {tmp_path.name}
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "cache", "hf"}


def test_hostile_names_in_parquet_stay_inside_and_apart(repo: Repo, get: Get, tmp_path: Path) -> None:
    labels = ["../../up", "/abs", "c:\\x", "n" * 300, "", "🩺", "../../up", "con", ".hidden"]
    repo.files = {"train.parquet": table(labels, path="../../{}/../x.png")}
    assert get()["images"] == 9
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "cache", "hf"}
    assert all(len(Path(path).parts) <= 2 for path in files_of(tmp_path / "out"))
    assert len(classes(tmp_path / "out")) == 8


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"files": 19}, r"holds 20 images; at most 19 are read \(--limit-files\): take a part.*--count"),
        ({"total_gb": 1}, r"take 1\.\d GB; at most 1 GB are read \(--limit-total-gb\)"),
    ],
)
def test_what_is_too_large_is_refused_before_the_download(
    hub: FakeHub,
    fails: Fails,
    monkeypatch: pytest.MonkeyPatch,
    limits: dict[str, int],
    says: str,
) -> None:
    if "total_gb" in limits:
        listed = fetch_dataset.entries_of
        monkeypatch.setattr(
            fetch_dataset,
            "entries_of",
            lambda found: (replace(e, size=60_000_000) for e in listed(found)),
        )
    assert re.search(says, fails(**limits))
    assert not any("/resolve/" in path for _, path, _ in hub.seen)


def test_a_file_that_is_too_large_is_left_out_and_counted(
    repo: Repo, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.files["train/nevus/huge.png"] = bytes((1 << 20) + 1)
    repo.files["train/nevus/empty.png"] = b""
    found = get(file_mb=1)
    assert found["images"] == 20
    assert found["notes"] == ["2 files were empty or over 1 MB (--limit-file-mb)"]


def test_a_parquet_file_of_too_many_rows_is_refused(
    repo: Repo, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MOST_ROWS", 15)
    repo.files = {"a.parquet": table([0] * 10), "b.parquet": table([0] * 10)}
    assert "b.parquet has 10 rows; at most 15 are read" in fails()


def test_a_parquet_file_that_unpacks_to_giants_is_refused(
    repo: Repo, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [{"bytes": bytes(3_000_000), "path": None}] * 2
    type_ = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    stream = io.BytesIO()
    pq.write_table(pa.table({"image": pa.array(images, type_)}), stream, compression="zstd")
    repo.files = {"bomb.parquet": stream.getvalue()}
    assert len(stream.getvalue()) < 10_000
    assert "bomb.parquet holds an image of more than 1 MB" in fails(file_mb=1)
    monkeypatch.setattr(rows, "GROUP", 1000)
    assert "bomb.parquet has row groups" in fails(file_mb=1)


def _cut(body: bytes) -> bytes:
    return body[: len(body) // 2]


def _broken_page(body: bytes) -> bytes:
    return body[:100] + bytes(2000) + body[2100:]


@pytest.mark.parametrize("damage", [_cut, _broken_page, lambda body: b"", lambda body: b"PAR1" * 3])
def test_a_broken_parquet_file_is_named(
    repo: Repo, get: Get, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    repo.files = {"train.parquet": damage(table([0] * 12, compression="none")), "z": b""}
    with pytest.raises(HubError, match=r"train.parquet is damaged, or it is no parquet|no images as files"):
        get()


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (
            {"README.md": b"#", "train.csv": b"a,b"},
            "holds no images as files or parquet.*@refs/conv",
        ),
        ({"data.zip": b"PK"}, "keeps its images in archives"),
        ({".hidden/a.png": b"x", "b.exe": b"MZ"}, "holds no images"),
        ({}, "holds no images"),
    ],
)
def test_a_repository_without_images_says_what_else_may_work(
    repo: Repo, fails: Fails, files: dict[str, bytes], says: str
) -> None:
    repo.files = files
    assert re.search(says, fails())


def test_a_table_without_images_names_its_columns(repo: Repo, fails: Fails) -> None:
    stream = io.BytesIO()
    pq.write_table(pa.table({"text": ["a"], "age": [3]}), stream)
    repo.files = {"train.parquet": stream.getvalue()}
    assert "train.parquet has no column of images; its columns are text, age" in fails()


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        ((404, "RepoNotFound"), "There is no repository ada/skin on 127.*or it is private"),
        ((403, "GatedRepo"), "ada/skin is gated: ask for access"),
        ((401, "GatedRepo"), "ada/skin is gated: ask for access"),
        ((429, ""), "too many requests"),
        ((503, ""), r"trouble of its own \(HTTP 503\)"),
    ],
)
def test_each_refusal_says_what_to_do_and_hides_the_token(
    repo: Repo, fails: Fails, monkeypatch: pytest.MonkeyPatch, refusal: tuple[int, str], says: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    repo.refuse = refusal
    sentence = fails()
    assert re.search(says, sentence) and TOKEN not in sentence


def test_an_unknown_revision_is_named(fails: Fails) -> None:
    assert "ada/skin has no revision 'v9'" in fails("v9")


def test_a_private_set_is_fetched_with_the_token_which_only_the_hub_sees(
    hub: FakeHub, repo: Repo, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.token, repo.files = TOKEN, {"train.parquet": table([0] * 12)}
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    get()
    assert {sent for _, path, sent in hub.seen if path.startswith("/cdn/")} == {None}
    assert {sent for _, path, sent in hub.seen if not path.startswith("/cdn/")} == {f"Bearer {TOKEN}"}


def test_a_silent_server_is_given_up_after_the_patience(repo: Repo, fails: Fails) -> None:
    repo.silent = True
    assert "is silent" in fails(patience=0.2)


def test_the_login_page_of_a_network_is_not_taken_for_a_hub(hub: FakeHub, fails: Fails) -> None:
    hub.plain = True
    assert "does not answer like a Hugging Face hub" in fails()


@pytest.mark.parametrize(
    "page",
    [{"error": 1}, [3], [{"type": "file", "path": "a.png", "size": "x", "oid": "0" * 40}],
     [{"type": "file", "path": "a.png", "size": 9, "oid": "../../x"}],
     [{"type": "file", "path": "../../../api/whoami.png", "size": 9, "oid": "0" * 40}],
     [{"type": "file", "path": "/etc/cron.d/x.png", "size": 9, "oid": "0" * 40}],
     [{"type": "file", "path": "\ud800.png", "size": 9, "oid": "0" * 40}],
     [{"type": "file", "path": "a.png", "size": 9, "oid": "0" * 40, "lfs": 3}]],
)  # fmt: skip
def test_a_listing_that_is_none_is_called_so(
    fails: Fails, monkeypatch: pytest.MonkeyPatch, page: Any
) -> None:
    answer = listing._json
    monkeypatch.setattr(
        listing, "_json", lambda url, way: (page, None) if "/tree/" in url else answer(url, way)
    )
    assert "does not answer like a Hugging Face hub" in fails()


def test_a_repository_of_endless_files_is_given_up(
    repo: Repo, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MOST_LISTED", 10)
    assert "ada/skin holds more than 10 files" in fails()


def test_a_cut_connection_goes_on_where_it_was(hub: FakeHub, repo: Repo, get: Get) -> None:
    repo.files = {"train.parquet": table([0] * 600, compression="none")}
    repo.cut_at = 100_000
    assert get()["images"] == 600
    assert hub.downloads("train.parquet") == 2 * 2  # each a redirect and the content


def test_a_server_that_cuts_off_again_and_again_is_given_up(repo: Repo, fails: Fails) -> None:
    repo.files = {"train.parquet": table([0] * 600, compression="none")}
    repo.cut_at, repo.cuts, repo.ranges = 100_000, 99, False
    assert "breaks off again and again" in fails()


def test_a_wrong_checksum_is_refused_and_not_kept_for_the_next_time(
    repo: Repo, fails: Fails, get: Get
) -> None:
    repo.damage = True
    assert "arrived damaged: its checksum is not the one" in fails()
    repo.damage = False
    assert get()["images"] == 20


def test_what_was_changed_in_the_cache_is_fetched_again(get: Get, tmp_path: Path) -> None:
    get()
    blob = next((tmp_path / "cache").iterdir())
    blob.write_bytes(b"edited")
    (tmp_path / "out").rename(tmp_path / "before")
    get()
    assert b"edited" not in images_in(tmp_path / "out")


def test_the_licence_of_a_hostile_card_is_a_few_plain_words(repo: Repo, get: Get) -> None:
    repo.card = {"license": ["mit\n<script>", "x" * 500], "configs": 3, "dataset_info": [7]}
    licence = get()["licence"]
    assert licence.startswith("mitscript, xxx") and len(licence) == 80

"""The policies of an installation: the standard one, and the named ones in a folder."""

from pathlib import Path

import pytest

from domain.policies import Policies, UnknownPolicy
from domain.policy import Policy
from settings import Settings, SettingsError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two policies, and a file that is none."""
    (tmp_path / "no-accept.toml").write_text('[deadlines]\naccept = "none"')
    (tmp_path / "saturdays.toml").write_text("[calendar]\nsaturday_is_working_day = true")
    (tmp_path / "README.md").write_text("What these are for.")
    return tmp_path


def loaded(folder: Path, **more: str) -> Policies:
    return Settings.from_env({"CMI_POLICIES": str(folder), **more}).load_policies()


def test_policies_are_named_after_their_files(folder: Path) -> None:
    policies = loaded(folder)
    assert set(policies.named) == {"no-accept", "saturdays"}
    assert policies.of("no-accept").deadlines.accept is None
    assert policies.of("saturdays").calendar.saturday_is_working_day
    assert policies.of(None) == policies.standard == Policy()


def test_the_standard_policy_is_the_configured_one(folder: Path) -> None:
    policies = loaded(folder, CMI_POLICY=str(folder / "saturdays.toml"))
    assert policies.of(None) == policies.of("saturdays")


@pytest.mark.parametrize("name", ["", "no-accept.toml", "NO-ACCEPT", "../no-accept", "vanished"])
def test_an_unknown_name_is_never_the_standard_policy(folder: Path, name: str) -> None:
    with pytest.raises(UnknownPolicy) as caught:
        loaded(folder).of(name)
    assert caught.value.name == name


def test_without_a_folder_there_are_no_named_policies() -> None:
    assert Settings.from_env({}).load_policies() == Policies(Policy())


def test_one_wrong_file_is_an_error_that_names_it(folder: Path) -> None:
    (folder / "wrong.toml").write_text('[deadlines]\naccept = "soon"')
    with pytest.raises(SettingsError, match=r"^CMI_POLICIES: .*wrong\.toml: deadlines\.accept: "):
        loaded(folder)


def test_a_file_with_an_impossible_name_is_an_error(folder: Path) -> None:
    (folder / "zürich west.toml").write_text("")
    with pytest.raises(SettingsError, match=r"^CMI_POLICIES: .*zürich west\.toml: the name of "):
        loaded(folder)


def test_a_folder_that_is_none_is_an_error(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"^CMI_POLICIES: .*gone: No such file or directory$"):
        loaded(folder / "gone")
    with pytest.raises(SettingsError, match=r"^CMI_POLICIES: .*README\.md: Not a directory$"):
        loaded(folder / "README.md")

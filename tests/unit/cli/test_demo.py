from pathlib import Path


def test_it_runs_and_says_where_the_picture_is(command, fake_zoo):
    code, out, err = command("demo", "fake-local", "--steps", 7, "--seed", 3)
    assert (code, err) == (0, "")
    assert "demo steps=7 seed=3" in out
    assert "The learning curve is in runs/demo-fake-local.png." in out
    assert Path("runs/demo-fake-local.png").exists()


def test_the_picture_can_go_elsewhere_or_nowhere(command, fake_zoo):
    assert "picture.pdf" in command("demo", "fake-local", "--plot", "picture.pdf")[1]
    assert Path("picture.pdf").exists()
    assert command("demo", "fake-local", "--no-plot")[1] == "demo steps=None seed=0\n"
    assert not Path("runs").exists()


def test_a_format_that_nobody_knows_is_refused_before_training(refused, fake_zoo):
    told = refused("demo", "fake-local", "--plot", "picture.pgn")
    assert told.startswith(
        "A picture cannot be saved as 'picture.pgn'. Give a path that ends in .png, or in another"
    )


def test_ctrl_c_says_that_nothing_is_kept(command, fake_zoo):
    code, _, err = command("demo", "fake-local", "--steps", 13)
    assert code == 130
    assert err == (
        "Stopped. A demo keeps nothing: `bionet demo fake-local` begins again, and "
        "`bionet run fake-local` keeps what it learns.\n"
    )


def test_a_place_where_no_picture_can_be_is_refused_before_training(refused, fake_zoo, tmp_path):
    Path("folder.png").mkdir()
    Path("file").write_text("")
    assert "is a directory. Give the path" in refused("demo", "fake-local", "--plot", "folder.png")
    assert "is no directory" in refused("demo", "fake-local", "--plot", "file/deep.png")


def test_a_tilde_is_the_home_of_the_user(command, fake_zoo, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert command("demo", "fake-local", "--plot", "~/a.png")[0] == 0
    assert (tmp_path / "home" / "a.png").exists()

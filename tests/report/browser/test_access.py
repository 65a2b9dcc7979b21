"""The page as those see it who cannot see it: axe-core's rules for accessible pages."""

import shutil
import subprocess
import tarfile

import pytest

AXE = "axe-core@4.14.1"


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """Return axe-core's script, fetched by npm; skip where npm cannot."""
    folder = tmp_path_factory.mktemp("axe")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("axe-core comes by npm, which is not there")
    command = [npm, "pack", AXE, "--silent", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=folder)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip(f"npm could not fetch {AXE}")
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as tar:
        return tar.extractfile("package/axe.min.js").read().decode()


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser, url, axe, scheme, width):
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("html[data-ready]")
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.locator("#samples button").nth(4).click()
    page.add_script_tag(content=axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    context.close()
    faults = [
        (fault["id"], node["html"][:200], node.get("failureSummary"))
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"][:2]
    ]
    assert faults == []

"""What several tests read from the open page."""


def column(page, heading):
    """Return what a column of the table of all runs shows, row by row, hidden rows left out."""
    return page.evaluate(
        """(heading) => {
          const table = document.getElementById("runs-table");
          const headings = [...table.tHead.rows[0].cells];
          const at = headings.findIndex((cell) => cell.innerText.startsWith(heading));
          return [...table.tBodies[0].rows].filter((row) => !row.hidden)
            .map((row) => row.cells[at].querySelector("data")?.value ?? row.cells[at].innerText);
        }""",
        heading,
    )


def names(page):
    """Return the titles of the runs that the table shows, from top to bottom."""
    return [name.split()[0] for name in column(page, "Run")]


def wait_for_frames(page):
    """Wait until what was asked for is painted."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def overflow(page):
    """Return by how many pixels the page is wider than its window."""
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )

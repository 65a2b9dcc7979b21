"""Pictures of a run, drawn from its folder alone; a new plot is one function in `gallery`."""

"""How the starters are trained, on synthetic series alone."""

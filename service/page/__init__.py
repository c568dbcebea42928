"""Page: the files of the page at `/`, a client of the REST API without a build step; docs/page.md describes it."""

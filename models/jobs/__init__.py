"""Names, cron expressions and errors of jobs, shared by the service that requests them and the worker that runs them."""

"""All routes, in the order in which paths are matched."""

from service.api.dialects import kserve, kserve_predict, mlflow, nixtla, open_inference, triton
from service.api.routes import (
    accuracy,
    champion,
    docs,
    forecast,
    forecasts,
    health,
    jobs,
    metrics,
    models,
    observations,
    page,
    schedules,
    series,
    validate,
)

ROUTERS = (
    forecast.router,
    validate.router,
    forecasts.router,
    observations.router,
    series.router,
    accuracy.router,
    champion.router,
    models.router,
    schedules.router,
    jobs.router,
    health.router,
    metrics.router,
    docs.router,
    nixtla.router,
    kserve_predict.router,
    kserve.router,
    mlflow.router,
    triton.router,
    open_inference.router,
    page.router,
)

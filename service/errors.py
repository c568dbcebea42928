"""Errors of the service: what the edge itself refuses, and which HTTP status each error of the tree gets.

RequestError (models.errors)        the question itself is wrong
├── BodyTooLarge                    413
├── BodyTooSlow                     408
├── EncodingUnsupported             415
├── FileInvalid                     400, a CSV or Parquet body that cannot be read
├── JsonInvalid                     400
├── FieldMissing
├── FieldUnknown
├── FieldInvalid
├── BatchTooLarge
├── ModelRequired                   several models are registered, and the request names none
├── ConfigRequired                  no configuration is given, and no schedule has one
├── KeyReused                       an Idempotency-Key that stood for another request
├── JobEnded                        409, a job that is to be cancelled and has ended
├── SeriesUnknown                   404, nothing was observed under this id
├── ForecastUnknown                 404, no forecast of this id is kept
├── KeyMissing                      401
└── ScopeMissing                    403
ModelUnknown (models.errors)        422 in a request, 404 in a path
ConfigInvalid (models.errors)       422, a threshold that is none
JobError (models.job_errors)        jobs and schedules
├── JobUnknown, ScheduleUnknown     404
├── ScheduleDuplicated              409
├── ScheduleInvalid                 422
└── JobsUnreachable                 503, Retry-After
ServiceError                        the question is sound, the service cannot answer it
├── ModelLoading                    503, Retry-After
├── NoModel                         503, what is named or set as default is not there: nothing is registered, or no champion
├── ModelRefused                    503, the model cannot be loaded
├── DefaultUnknown                  503, ALMANAC_MODEL names what is not registered
├── QueueFull                       429, Retry-After
├── ForecastNotFinite               422, values so large that the forecast overflows
├── KeysInvalid                     the file of keys cannot be read
├── DatabaseUnreachable             503, Retry-After; forecasts go on without it
├── DatabaseUnusable                503, the tables are a newer Almanac's, or the file is damaged
├── Unexpected                      500, a defect of ours
└── SettingInvalid                  an environment variable that is wrong
"""

from models.errors import AlmanacError, RequestError


class BodyTooLarge(RequestError):
    """A body with more bytes than the service accepts."""

    code = "BODY_TOO_LARGE"


class BodyTooSlow(RequestError):
    """A body that did not come in the time that the service waits for one."""

    code = "BODY_TOO_SLOW"


class EncodingUnsupported(RequestError):
    """A body that is compressed."""

    code = "ENCODING_UNSUPPORTED"


class JsonInvalid(RequestError):
    """A body that is no JSON."""

    code = "JSON_INVALID"


class FileInvalid(RequestError):
    """A CSV or Parquet body that cannot be read."""

    code = "FILE_INVALID"


class SeriesUnknown(RequestError):
    """A series of which nothing was observed."""

    code = "SERIES_UNKNOWN"


class ForecastUnknown(RequestError):
    """A forecast that is not kept: never made, gone by age, or not written yet."""

    code = "FORECAST_UNKNOWN"


class FieldMissing(RequestError):
    """A required field that is not there."""

    code = "FIELD_MISSING"


class FieldUnknown(RequestError):
    """A field that nobody reads: most often a slip of the pen."""

    code = "FIELD_UNKNOWN"


class FieldInvalid(RequestError):
    """A field of the wrong type."""

    code = "FIELD_INVALID"


class BatchTooLarge(RequestError):
    """More series, or more steps altogether, than one request may ask for."""

    code = "BATCH_TOO_LARGE"


class ModelRequired(RequestError):
    """Several models are registered, and the request names none."""

    code = "MODEL_REQUIRED"


class ConfigRequired(RequestError):
    """No configuration is given, and none or several schedules of the model have one."""

    code = "CONFIG_REQUIRED"


class KeyReused(RequestError):
    """An Idempotency-Key that stood for another request."""

    code = "IDEMPOTENCY_KEY_REUSED"


class JobEnded(RequestError):
    """A job that is to be cancelled and has ended."""

    code = "JOB_ENDED"


class KeyMissing(RequestError):
    """No key, or one that is not on the list."""

    code = "KEY_MISSING"


class ScopeMissing(RequestError):
    """A key without the scope that the route needs."""

    code = "SCOPE_MISSING"


class ServiceError(AlmanacError):
    """The question is sound, the service cannot answer it."""

    code = "SERVICE_ERROR"


class ModelLoading(ServiceError):
    """The model is being fetched or loaded: ask again soon."""

    code = "MODEL_LOADING"


class NoModel(ServiceError):
    """Nothing is registered yet, or nothing has a champion, and the request or ALMANAC_MODEL means one."""

    code = "NO_MODEL"


class ModelRefused(ServiceError):
    """The registered model cannot be loaded."""

    code = "MODEL_REFUSED"


class DefaultUnknown(ServiceError):
    """ALMANAC_MODEL names a model, an alias or a version that is not registered."""

    code = "DEFAULT_MODEL_UNKNOWN"


class QueueFull(ServiceError):
    """More large requests wait than the service lets wait."""

    code = "QUEUE_FULL"


class ForecastNotFinite(ServiceError):
    """Values so large that the forecast overflows."""

    code = "FORECAST_NOT_FINITE"


class KeysInvalid(ServiceError):
    """The file of keys cannot be read."""

    code = "KEYS_INVALID"


class DatabaseUnreachable(ServiceError):
    """The database of observations and forecasts does not answer."""

    code = "DATABASE_UNREACHABLE"


class DatabaseUnusable(ServiceError):
    """The database holds other tables than this version can use, or is no database."""

    code = "DATABASE_UNUSABLE"


class Unexpected(ServiceError):
    """A defect of ours: the log has the traceback, the answer never does."""

    code = "INTERNAL_ERROR"


class SettingInvalid(ServiceError):
    """An environment variable that is wrong."""

    code = "SETTING_INVALID"

"""Errors: what the service itself rejects; service/problems.py maps each error to an HTTP status.

RequestError (models.errors)        the request is wrong
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
├── ConfigRequired                  no configuration in the request, nor in a schedule
├── KeyReused                       an Idempotency-Key of another request
├── JobEnded                        409, a job to cancel that has ended
├── SeriesUnknown                   404, no observations with this id
├── ForecastUnknown                 404, no stored forecast with this id
├── KeyMissing                      401
├── ScopeMissing                    403
├── OriginForeign                   403, a page of another site
├── HostMissing                     400
├── HostUnknown                     421, a Host that is not this service's
├── TypeUnsupported                 415, a Content-Type that the route does not read
├── NotAcceptable                   406, an Accept that names no type that is made
├── RequestUnreadable               400, not HTTP
├── HeadersTooLarge                 431
└── HeadersTooSlow                  408
RegistryError (models.errors)       502, the registry refuses to move the champion
├── HomeMoved                       502, a home that was moved or copied
├── RegistryUnreachable             503, Retry-After
├── ChampionChanged                 409, another champion than the one to take back
└── ModelUnknown                    422 in a body, 404 in a path
    ├── PreviousMissing             409, no champion to go back to
    └── ModelNotFound               404, in a query, or to be moved
ConfigInvalid (models.errors)       422, an invalid threshold
JobError (models.jobs.errors)       jobs and schedules
├── JobUnknown, ScheduleUnknown     404
├── ScheduleDuplicated              409
├── ScheduleInvalid                 422
└── JobsUnreachable                 503, Retry-After
ServiceError                        the request is valid, but the service cannot answer it
├── ModelLoading                    503, Retry-After
├── NoModel                         503, nothing is registered, or nothing has a champion
├── ModelRefused                    503, the model cannot be loaded
├── DefaultUnknown                  503, ALMANAC_MODEL is not registered
├── QueueFull                       429, Retry-After
│   └── RateExceeded
├── DeadlinePassed                  503, Retry-After
├── MemoryShort                     503, Retry-After
├── KeysInvalid                     the API key file cannot be read
├── DatabaseUnreachable             503, Retry-After; forecasts do not need it
├── DatabaseUnusable                503, the tables of a newer Almanac, or a damaged file
├── Unexpected                      500, a bug
└── SettingInvalid                  an environment variable that is wrong
"""

from models.errors import AlmanacError, ModelUnknown, RegistryError, RequestError


class BodyTooLarge(RequestError):
    """A body with more bytes than the service accepts."""

    code = "BODY_TOO_LARGE"


class BodyTooSlow(RequestError):
    """A body that was not received in time."""

    code = "BODY_TOO_SLOW"


class EncodingUnsupported(RequestError):
    """A body that is compressed in another way than with gzip or zstd."""

    code = "ENCODING_UNSUPPORTED"


class JsonInvalid(RequestError):
    """A body that is not JSON."""

    code = "JSON_INVALID"


class FileInvalid(RequestError):
    """A CSV or Parquet body that cannot be read."""

    code = "FILE_INVALID"


class SeriesUnknown(RequestError):
    """A series without observations."""

    code = "SERIES_UNKNOWN"


class ForecastUnknown(RequestError):
    """A forecast that is not stored: it never existed, is too old, or is not written yet."""

    code = "FORECAST_UNKNOWN"


class ModelNotFound(ModelUnknown):
    """A model in a path or query that is neither registered nor served, or a version to promote that does not exist."""


class ChampionChanged(RegistryError):
    """A rollback from a version that is not the champion any more."""

    code = "CHAMPION_CHANGED"


class FieldMissing(RequestError):
    """A required field that is missing."""

    code = "FIELD_MISSING"


class FieldUnknown(RequestError):
    """An unknown field, usually a typo."""

    code = "FIELD_UNKNOWN"


class FieldInvalid(RequestError):
    """A field with an invalid value or type."""

    code = "FIELD_INVALID"


class BatchTooLarge(RequestError):
    """More series, steps or numbers than one request may ask for."""

    code = "BATCH_TOO_LARGE"


class SegmentUnknown(RequestError):
    """A series that no model of a family fits."""

    code = "SEGMENT_UNKNOWN"


class ModelRequired(RequestError):
    """A request without `model` while several models are registered."""

    code = "MODEL_REQUIRED"


class ConfigRequired(RequestError):
    """A job without configuration, whose model has no schedule or several."""

    code = "CONFIG_REQUIRED"


class KeyReused(RequestError):
    """An Idempotency-Key that belongs to another request."""

    code = "IDEMPOTENCY_KEY_REUSED"


class JobEnded(RequestError):
    """A job to cancel that has ended."""

    code = "JOB_ENDED"


class KeyMissing(RequestError):
    """No API key, or an unknown one."""

    code = "KEY_MISSING"


class ScopeMissing(RequestError):
    """An API key without the scope that the route needs."""

    code = "SCOPE_MISSING"


class OriginForeign(RequestError):
    """A request that a browser sent for a page of another site."""

    code = "ORIGIN_FOREIGN"


class HostMissing(RequestError):
    """A request without a Host header, or with several."""

    code = "HOST_MISSING"


class HostUnknown(RequestError):
    """A Host header that names another machine."""

    code = "HOST_UNKNOWN"


class TypeUnsupported(RequestError):
    """A Content-Type that the route does not read."""

    code = "CONTENT_TYPE_UNSUPPORTED"


class NotAcceptable(RequestError):
    """An Accept header that names no type that the route makes."""

    code = "NOT_ACCEPTABLE"


class RequestUnreadable(RequestError):
    """Bytes that are not an HTTP request."""

    code = "REQUEST_UNREADABLE"


class HeadersTooLarge(RequestError):
    """A request line and headers with more bytes than the service accepts."""

    code = "HEADERS_TOO_LARGE"


class HeadersTooSlow(RequestError):
    """Headers that were not received in time."""

    code = "HEADERS_TOO_SLOW"


class ServiceError(AlmanacError):
    """A valid request that the service cannot answer."""

    code = "SERVICE_ERROR"


class ModelLoading(ServiceError):
    """A model that is being fetched or loaded; a later request succeeds."""

    code = "MODEL_LOADING"


class NoModel(ServiceError):
    """A request or ALMANAC_MODEL that needs a registered model or champion, and there is none."""

    code = "NO_MODEL"


class ModelRefused(ServiceError):
    """A registered model that cannot be loaded."""

    code = "MODEL_REFUSED"


class DefaultUnknown(ServiceError):
    """A model, alias or version in ALMANAC_MODEL that is not registered."""

    code = "DEFAULT_MODEL_UNKNOWN"


class QueueFull(ServiceError):
    """More requests than may wait.

    Attributes:
        retry_after: Seconds after which a request will probably be accepted.
    """

    code = "QUEUE_FULL"

    def __init__(self, detail: str, *, hint: str, retry_after: int = 1) -> None:
        """Keep when to try again."""
        super().__init__(detail, hint=hint)
        self.retry_after = retry_after


class RateExceeded(QueueFull):
    """More requests of one client than its rate allows."""

    code = "RATE_EXCEEDED"


class DeadlinePassed(ServiceError):
    """A request that waited until its deadline, or ran for many times as long; no more work on it begins."""

    code = "DEADLINE_PASSED"


class MemoryShort(ServiceError):
    """A request that needs more memory than the process gets."""

    code = "MEMORY_SHORT"


class KeysInvalid(ServiceError):
    """An API key file that cannot be read."""

    code = "KEYS_INVALID"


class DatabaseUnreachable(ServiceError):
    """A database of observations and forecasts that does not answer."""

    code = "DATABASE_UNREACHABLE"


class DatabaseUnusable(ServiceError):
    """A database with tables of another version, or a file that is not a database."""

    code = "DATABASE_UNUSABLE"


class Unexpected(ServiceError):
    """A bug: the traceback is in the log, never in the response."""

    code = "INTERNAL_ERROR"


class SettingInvalid(ServiceError):
    """An environment variable that is wrong."""

    code = "SETTING_INVALID"

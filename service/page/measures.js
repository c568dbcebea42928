// Measures: MASE and the seasonal naive of the held-out points, as models/accuracy.py and models/baselines.py define them.

/** Return the newest `horizon` values as seasonal naive forecasts them: the last known value of the same season. */
export function seasonalNaive(history, horizon, season) {
  const last = history.findLast((value) => value !== null);
  return Array.from({ length: horizon }, (_, step) => {
    for (let at = history.length - season + (step % season); at >= 0; at -= season) {
      if (history[at] !== null) return history[at];
    }
    return last ?? null;
  });
}

/** Return the mean absolute error of seasonal naive within the history; null if no two values are a season apart. */
export function scale(history, season) {
  let total = 0;
  let count = 0;
  for (let at = season; at < history.length; at += 1) {
    if (history[at] === null || history[at - season] === null) continue;
    total += Math.abs(history[at] - history[at - season]);
    count += 1;
  }
  return count && total > 0 ? total / count : null;
}

/** Return the mean absolute scaled error; null if nothing was observed, or the history repeats itself. */
export function mase(target, forecast, history, season) {
  const unit = scale(history, season);
  const known = target.map((value, at) => [value, forecast[at]]).filter(([value, other]) => value !== null && other !== null && other !== undefined);
  if (unit === null || !known.length) return null;
  return known.reduce((sum, [value, other]) => sum + Math.abs(value - other), 0) / known.length / unit;
}

#!/bin/sh
# Write .env from .env.example with random passwords and keys; of an existing .env, add what it lacks and fill what is empty.
set -eu
cd "$(dirname "$0")/../.."
umask 077

random() {
  LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom | head -c 40
}

touch .env
new=$(mktemp .env.XXXXXX)
# Lines of .env that .env.example does not have are kept.
while IFS= read -r line || [ -n "$line" ]; do
  name=${line%%=*}
  case $line in
    [A-Z]*=*)
      if kept=$(grep "^$name=." .env); then
        printf '%s\n' "$kept"
      elif [ "${line#*=}" = random ]; then
        printf '%s=%s\n' "$name" "$(random)"
      else
        printf '%s\n' "$line"
      fi ;;
    *) printf '%s\n' "$line" ;;
  esac
done <.env.example >"$new"
while IFS= read -r line || [ -n "$line" ]; do
  case $line in
    [A-Z]*=*) grep -q "^${line%%=*}=" "$new" || printf '%s\n' "$line" >>"$new" ;;
  esac
done <.env
mv "$new" .env
echo ".env is ready: $(grep -c '^[A-Z]*' .env) lines, readable by you only."

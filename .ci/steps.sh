# The steps that bench/run, tests/run and .ci/run share; sourced by them from the project's folder.
# Needs bash, and nothing that a minimal Debian does not have.

# say TEXT: a line of progress.
say() { printf '%s\n' "-- $1"; }

# fail CODE TEXT: the one clear line, on standard error, and the end.
fail() {
  printf '%s\n' "$0: $2" >&2
  exit "$1"
}

# interruptible COMMAND...: runs it in a process group of its own, to which a signal that this script
# gets is passed on at once as SIGINT; the second one kills. After a signal the script ends with 130.
interruptible() {
  local job code signal=
  set -m
  "$@" </dev/null &
  job=$!
  set +m
  trap 'signal=${signal:+KILL}; signal=${signal:-INT}; kill -s "$signal" -- "-$job" 2>/dev/null' INT TERM HUP QUIT
  while :; do
    wait "$job" && code=0 || code=$?
    kill -0 "$job" 2>/dev/null || break
  done
  trap - INT TERM HUP QUIT
  [ -z "$signal" ] && return "$code"
  kill -s KILL -- "-$job" 2>/dev/null || true  # whoever did not listen
  exit 130
}

# missing_packages bench|tests: names with their reasons, of the packages that it needs and that are
# not installed.
missing_packages() {
  local names why name
  while read -r names why; do
    case $names in '' | '#'*) continue ;; esac
    case $1,$why in bench,'for tests only: '*) continue ;; esac
    for name in ${names//|/ }; do
      [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$name" 2>/dev/null)" != 'ii ' ] || continue 2
    done
    printf '%s %s\n' "$names" "$why"
  done <.ci/packages.txt
}

# install_packages bench|tests [--no-install]: what it needs of the list, or only the names of what is
# missing.
install_packages() {
  local missing names why name chosen=() become=()
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
    fail 2 "no apt-get here: install what .ci/packages.txt names, then: cmake --workflow --preset release"
  missing=$(missing_packages "$1")
  [ -n "$missing" ] || return 0
  say "missing packages:"
  while read -r names why; do printf '   %-30s %s\n' "${names//|/ or }" "$why"; done <<<"$missing"
  [ "${2-}" != --no-install ] || fail 2 "packages are missing; without --no-install they are installed"
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail 2 "packages are missing, and to install them needs root or sudo"
    [ -t 0 ] || sudo -n true 2>/dev/null || fail 2 "packages are missing, and sudo asks for a password"
    become=(sudo)
  fi
  say "installing them with apt-get"
  apt_get update
  while read -r names why; do
    for name in ${names//|/ }; do
      if apt-cache show "$name" >/dev/null 2>&1; then
        chosen+=("$name")
        continue 2
      fi
    done
    fail 3 "this distribution has no package ${names//|/ or }"
  done <<<"$missing"
  apt_get install -y --no-install-recommends "${chosen[@]}"
}

# apt_get ARGUMENT...: quiet unless it fails. Uses become, the words that make one root.
apt_get() {
  local log
  log=$("${become[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
    apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" 2>&1) ||
    { printf '%s\n' "$log" >&2 && fail 3 "apt-get $1 failed; its words are above"; }
}

# build PRESET [TARGET...]: configures and builds; quiet on success, everything on failure.
build() {
  local preset=$1 log=build/$1/build.log started=$SECONDS
  shift
  mkdir -p "${log%/*}" 2>/dev/null && [ -w "${log%/*}" ] || fail 5 "cannot write to ${log%/*} in $PWD"
  say "building build/$preset"
  interruptible configure_and_compile "$preset" "$log" "$@" ||
    { cat "$log" >&2 && fail 4 "the build failed; its words are above and in $log"; }
  say "built build/$preset in $((SECONDS - started)) s"
}

configure_and_compile() {
  local preset=$1 log=$2
  shift 2
  set -o pipefail
  cmake --preset "$preset" >"$log" 2>&1 &&
    NINJA_STATUS='[%f/%t] ' cmake --build --preset "$preset" --parallel "$(nproc)" ${1:+--target "$@"} 2>&1 |
    show_progress "$log"
}

# show_progress LOG: ninja's words into the log, and of them one line for every tenth of the work;
# on a terminal, one line that is overwritten.
show_progress() {
  local line tenths last=0
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$1"
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
    if [ -t 1 ]; then
      printf '\r   %s of %s' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
      last=terminal
    else
      tenths=$((10 * BASH_REMATCH[1] / BASH_REMATCH[2]))
      [ "$tenths" = "$last" ] || printf '   %s of %s\n' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
      last=$tenths
    fi
  done
  [ "$last" != terminal ] || printf '\n'
}

#!/bin/sh
# Take the README's picture: the top of the demo's report as a reader with a light screen sees it.
# Needs a Chromium (CHROMIUM=... where it has another name) and `make demo` to have run.
set -eu
cd "$(dirname "$0")/.."
report=${1:-var/demo/reports/daily-2026-10-30.html}
picture=${2:-docs/daily-report.png}
size=${3:-1280,1436}

test -f "$report" || { echo "no $report: run make demo first" >&2; exit 2; }
browser=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
test -n "$browser" || { echo "no Chromium found: name it with CHROMIUM=..." >&2; exit 2; }

profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
mkdir -p "$(dirname "$picture")"
# A browser started by root, as in a container, has no sandbox to run in.
sandbox=$(test "$(id -u)" -ne 0 || echo --no-sandbox)
"$browser" --headless --disable-gpu --hide-scrollbars --no-first-run --disable-background-networking \
    --user-data-dir="$profile" --window-size="$size" --screenshot="$(realpath -m "$picture")" $sandbox \
    "file://$(realpath "$report")" >/dev/null 2>&1
echo "$picture: $(wc -c <"$picture") bytes"

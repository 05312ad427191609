#!/bin/sh
# Makes home-before-rooms.tar.xz: the home folder of an installation of the last commit before the
# rooms were divided (236850a), shut down after a day's work. Run it in a checkout of that commit,
# after `make setup`, with the archive's name as its argument. The owner's folder is /srv/thirdshift.
set -eu

archive=$(realpath "$1")
samples=$PWD/datasets
export HOME=/srv/thirdshift THIRDSHIFT_HOME=/srv/thirdshift/home
PATH=$PWD/.venv/bin:$PATH
mkdir -p "$HOME/notes" "$THIRDSHIFT_HOME/analyses"

thirdshift setup
set_key() { # table or nothing, key, value: as who takes the mark of a comment away, and writes
    awk -v table="$1" -v key="$2" -v value="$3" '
        /^\[/ { now = substr($0, 2, length($0) - 2) }
        now == table && $0 ~ "^# " key " = " { $0 = key " = " value }
        { print }' "$THIRDSHIFT_HOME/settings.toml" > "$HOME/changed"
    mv "$HOME/changed" "$THIRDSHIFT_HOME/settings.toml"
}
set_key "" timezone '"Asia/Tokyo"'
set_key models runtime '"embedded"'
set_key models threads 1
set_key store keep_deleted_days 3650
set_key ingest paths '["~/notes"]'
set_key ingest chunk_tokens 96
set_key ports prefect 14200
set_key ports engine 14210
set_key runner standbys 1
set_key runner keep_days 3650
set_key learning keep_turns_days 3650
set_key monitor stories_a_day 2
set_key research keep_days 3650
set_key drafts kind '"summary"'
set_key drafts author '"Ada of the Old Rooms"'
set_key analyst samples false

cat > "$HOME/notes/roaster.md" <<'END'
# The roaster

The roaster was serviced on 12 March. The technician replaced the drum bearing and left a spare
belt in the cupboard by the door.

焙煎機の点検は三月十二日に行われ、ドラムの軸受けを交換した。
END
cat > "$THIRDSHIFT_HOME/analyses/till.yaml" <<'END'
title: The till
source: {kind: csv, path: till.csv}
time: {column: date, frequency: day}
measures:
  - {column: takings, title: Takings, unit: EUR, aggregate: sum}
questions:
  - Why did takings fall?
language: en
END
cat > "$THIRDSHIFT_HOME/analyses/stock.yaml" <<'END'
title: The stock
source: {kind: csv, path: till.csv}
time: {column: date, frequency: day}
measures:
  - {column: takings, title: Takings, unit: EUR, aggregate: sum}
gate: {memory_floor: 100}
language: en
END
python - > "$THIRDSHIFT_HOME/analyses/till.csv" <<'END'
from datetime import date, timedelta

print("date,takings")
for day in range(120):
    print(date(2026, 1, 5) + timedelta(day), 200 + day % 7 * 20 + day % 11, sep=",")
END

thirdshift up -d
thirdshift run ingest
thirdshift ask "When was the roaster serviced?"
thirdshift feedback correct "The roaster was serviced on 14 March, two days later than planned."
thirdshift prefer "Greet a guest." --chosen "Good morning." --rejected "Yes?"
thirdshift run refine-memory
thirdshift run analyse-till
thirdshift run monitor-sources -p "sources=$samples/sources.yaml"
until [ "$(thirdshift history --json | grep -c '"status": "waiting"')" = 2 ]; do sleep 1; done
thirdshift run analyse-stock || true # its gate never opens: it is put off
thirdshift run shift-report
thirdshift history
thirdshift down

# What the next start makes anew or nobody reads, and what would only be large.
cd "$THIRDSHIFT_HOME"
rm -rf logs prefect/ui prefect/certificate.pem run/supervisor.conf run/duckdb run/runs web
python - <<'END'
import sqlite3

database = sqlite3.connect("prefect/prefect.db", isolation_level=None)
for table in ("events", "event_resources", "log"):
    database.execute(f"DELETE FROM {table}")
database.execute("PRAGMA journal_mode = DELETE")
database.execute("VACUUM")
database.execute("PRAGMA journal_mode = WAL")
database.close()
END
rm -f prefect/prefect.db-wal prefect/prefect.db-shm
tar --sort=name --owner=0 --group=0 --numeric-owner -c . | xz -9e > "$archive"

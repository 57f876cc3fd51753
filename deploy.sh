#!/usr/bin/env bash
# Brings the tip of the branch live, or leaves live what is. `--help` says how; README says what stands where.
#
# Whatever happens half-way, `current` points to a release that is whole: a release gets its name only when all of its
# files are there, `current` is switched by one rename, and a switch that nobody has seen work is undone by this run
# or by the next one.
# shellcheck disable=SC2317 # what traps call is reached
set -uo pipefail
umask 022 # the service is another account; what is not for all says so itself

HELP='Usage: deploy.sh [--base DIR] [--force]   deploy the tip of the branch
       deploy.sh --rollback [COMMIT]      go back to the release before this one, or to COMMIT
       deploy.sh --dry-run                say what a deploy would do
       deploy.sh --status                 say what is live and how the last deploys went

--force also deploys a tip that does not follow what is live (after a force push).

Settings, from the environment or from .env in the base folder:
  VIX_DEPLOY_BASE      the folder with repo, releases and current; by default the one that this release lies in
  VIX_DEPLOY_REMOTE    URL of the repository, for the first deploy
  VIX_DEPLOY_BRANCH    main
  VIX_DEPLOY_REQUEST   deploys/request   the file that asks for a deploy; its folder may be another account'\''s
  VIX_DEPLOY_RESTART   systemctl restart vix-api vix-worker
  VIX_HEALTH_URL       http://127.0.0.1:8080/health, asked by VIX_SOCKET where that is set
  VIX_DEPLOY_HEALTH_S  30   seconds that a release has to become healthy; ten times as many for the first of all
  VIX_DEPLOY_STEADY_S  2    seconds after which it has to be so still
  VIX_DEPLOY_APART_S   15   seconds between the starts of two deploys that pushes ask for
  VIX_DEPLOY_WAIT_S    900  seconds to wait for another deploy
  VIX_DEPLOY_KEEP      3    releases, and backups of the database, that are kept
  VIX_DEPLOY_ALERT     current/vix alert   is run with a subject and a text when a deploy fails; empty tells nobody
  VIX_DATA             data in the base folder

Exit codes: 0 live or nothing to do; 1 failed, and what was live still is; 2 wrong use; 3 failed, and what was live is
not healthy either; 75 another deploy took too long.'

FETCH_S=300 PREPARE_S=1200 BACKUP_S=900 CHECK_S=120 RESTART_S=90 ALERT_S=60
KEEP_RECORDS=20
DONE=0 FAILED=1 WRONG_USE=2 BROKEN=3 BUSY=75

# Prints why an answer of /health (standard input) is not that of a healthy COMMIT; nothing where it is. Checks that
# failed before the switch may fail after it, but for the worker's and the database's.
JUDGE='
import json, sys
commit, tolerated = sys.argv[1], set(sys.argv[2].split()) - {"worker", "database"}
try:
    text = sys.stdin.read()
    said = json.loads(text)
    checks = said["checks"]
    ill = [name for name in checks if not checks[name]["ok"] and name not in tolerated]
    workers = said.get("workers", {}).get("commits", [commit])
    if said["commit"] != commit:
        print("the API runs", said["commit"][:12] or "an unknown commit")
    elif not checks["worker"]["ok"] or ill:
        name = "worker" if not checks["worker"]["ok"] else ill[0]
        print(name + ":", checks[name].get("message", "failing"))
    elif commit not in workers:
        print("worker: none runs this commit yet")
except (ValueError, LookupError, TypeError, AttributeError):
    print("no answer that can be read" if text else "it does not answer")
'
FAILING='
import json, sys
try:
    print(*(name for name, check in json.load(sys.stdin)["checks"].items() if not check["ok"]))
except (ValueError, LookupError, TypeError, AttributeError):
    pass
'
BACKUP='
import os, sqlite3, sys
os.umask(0o077)
source, target = sqlite3.connect(sys.argv[1], timeout=30), sqlite3.connect(sys.argv[2])
source.backup(target)
(verdict,) = target.execute("PRAGMA quick_check").fetchone()
target.close()
with open(sys.argv[2], "rb") as copy:
    os.fsync(copy.fileno())
sys.exit(0 if verdict == "ok" else "The copy of the database is damaged: " + verdict)
'

base='' state='' repo='' id='' here='' child='' switched='' kind=deploy
asked_by=hand outcome=running commit='' left='' step='' reason='' started_at='' ended_at=''

# --- saying and writing down ---------------------------------------------------------------------------------------

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

say() {
    printf '%s\n' "$*"
    if [[ -n $here ]]; then printf '%s %s\n' "$(now)" "$*" 2>/dev/null >>"$here/log" || true; fi
}

usage() {
    printf 'deploy.sh: %s\n' "$*" >&2
    exit "$WRONG_USE"
}

# For people and for the hook. A full disk must not stop a deploy from going back.
write_record() {
    [[ -n $here ]] || return 0
    {
        printf '%s %s\n' kind "$kind" outcome "$outcome" asked_by "$asked_by" commit "$commit" from "$left" \
            step "$step" reason "${reason//$'\n'/ }" started_at "$started_at" ended_at "$ended_at" \
            >"$here/record.part" && mv -fT "$here/record.part" "$here/record"
    } 2>/dev/null || true
}

enter() {
    step=$1
    say "== $2"
    write_record
}

# --- running others ------------------------------------------------------------------------------------------------

# run SECONDS COMMAND...: its output goes to the log. It ends when this script does, keeps the lock until it has, and
# is waited for by `wait`, so that signals are heard meanwhile.
run() {
    local limit=$1 log=/dev/stdout result
    shift
    if [[ -n $here ]] && { : >>"$here/log"; } 2>/dev/null; then log=$here/log; fi
    setpriv --pdeathsig TERM timeout --kill-after=5 "$limit" "$@" >>"$log" 2>&1 </dev/null &
    child=$!
    while :; do # a signal ends the waiting, but not what is waited for
        wait "$child"
        result=$?
        kill -0 "$child" 2>/dev/null || break
    done
    child=''
    return "$result"
}

# As `run`, for commands that may leave a service running: it must not keep the lock.
run_free() { run "$@" 9>&-; }

in_git() { git -C "$repo" "$@"; }

pause() { sleep "$1" & wait $!; }

restart() {
    say "Restarting: $VIX_DEPLOY_RESTART"
    run_free "$RESTART_S" bash -c "$VIX_DEPLOY_RESTART"
}

ask_health() {
    curl --silent --max-time 3 ${VIX_SOCKET:+--unix-socket "$VIX_SOCKET"} "$VIX_HEALTH_URL" 9>&- </dev/null
}

# await_health COMMIT TOLERATED: until it is healthy and stays so, or the time is over; `verdict` says why not.
await_health() {
    local deadline=$((SECONDS + VIX_DEPLOY_HEALTH_S)) seen=''
    while :; do
        verdict=$(ask_health | python3 -c "$JUDGE" "$1" "$2" 9>&-)
        if [[ -n $verdict ]]; then
            seen=''
        elif [[ -z $seen ]]; then
            seen=$SECONDS
        fi
        if [[ -n $seen ]] && ((SECONDS - seen >= VIX_DEPLOY_STEADY_S)); then return 0; fi
        if [[ -z $seen ]] && ((SECONDS >= deadline)); then return 1; fi
        pause 0.3
    done
}

alert() {
    [[ -n $VIX_DEPLOY_ALERT ]] || return 0
    # shellcheck disable=SC2016 # the inner shell expands it
    run_free "$ALERT_S" bash -c "$VIX_DEPLOY_ALERT"' "$@"' alert "$1" "$2" || say "Nobody could be told of it."
}

# --- beginning and ending ------------------------------------------------------------------------------------------

one_at_a_time() {
    exec 9>>"$state/lock" || usage "$state/lock cannot be written; run this as the owner of $base."
    flock --nonblock 9 && return
    echo "Waiting for another deploy..."
    flock --wait "$VIX_DEPLOY_WAIT_S" 9 || {
        echo "Another deploy has not ended within $VIX_DEPLOY_WAIT_S s." >&2
        pause 10 # a request that lies there still would start the next one at once
        exit "$BUSY"
    }
}

# A push that follows another at once is deployed with those that follow it: the first of many goes at once, the others
# together.
wait_for_more() {
    local begun
    while begun=$(stat -c %Y "$state/begun" 2>/dev/null) && ((EPOCHSECONDS >= begun)) &&
        ((EPOCHSECONDS < begun + VIX_DEPLOY_APART_S)); do
        pause 0.5
    done
}

is_asked_for() { [[ -e $VIX_DEPLOY_REQUEST || -L $VIX_DEPLOY_REQUEST ]]; }

# The hook is another account, which must not lead root anywhere: no link is followed, and what it has written is kept
# for people and for itself.
take_request() {
    local taken=$VIX_DEPLOY_REQUEST.taken
    asked_by=request
    rm -rf "$taken"
    if mv -fT "$VIX_DEPLOY_REQUEST" "$taken" && [[ -n $here ]]; then
        timeout 5 dd if="$taken" of="$here/request" iflag=nofollow,nonblock bs=256K count=1 status=none 2>/dev/null
    fi
    rm -rf "$taken" "$VIX_DEPLOY_REQUEST"
    is_asked_for || return 0
    echo "The request $VIX_DEPLOY_REQUEST cannot be removed." >&2
    pause 10 # it would start the next deploy at once
    exit "$FAILED"
}

# The request goes before anything is fetched: a push that comes later writes another one.
begin() {
    kind=$1
    [[ $kind != deploy ]] || ! is_asked_for || wait_for_more
    touch "$state/begun" 2>/dev/null
    started_at=$(now)
    id=$(date -u +%Y%m%dT%H%M%SZ)-$$
    mkdir "$state/$id" 2>/dev/null && here=$state/$id
    if [[ $kind == deploy ]] && is_asked_for; then take_request; fi
    trap at_signal INT TERM HUP
    trap at_exit EXIT
    [[ -n $here ]] || fail "The record cannot be written: is the disk full?"
    left=$(live)
    write_record
}

end() {
    outcome=$1
    ended_at=$(now)
    write_record
    say "$2"
    exit "$3"
}

at_signal() {
    trap : INT TERM HUP
    [[ -z $child ]] || kill -TERM "$child" 2>/dev/null
    fail "It was stopped by a signal." interrupted
}

at_exit() {
    [[ $outcome != running ]] || { outcome=interrupted ended_at=$(now) && write_record; }
}

# fail REASON [OUTCOME]: go back to what was live, tell the operator and end.
fail() {
    trap : INT TERM HUP # and not ignored, which what is started here would inherit
    reason=$1
    local result=${2:-failed} code=$FAILED serves="${left:0:12} serves on"
    say "Failed: $reason"
    if [[ -n $switched ]]; then
        go_back || { result=broken code=$BROKEN serves="${left:0:12} does not serve either: $verdict"; }
    fi
    [[ -n $left ]] || serves="nothing was live before"
    [[ $kind != deploy || -z $commit || $commit == "$(live)" || -e releases/$commit/.live ]] ||
        rm -rf "releases/$commit" "releases/$commit.part"
    if [[ $result != interrupted ]]; then
        alert "Vix: the deploy of ${commit:0:12} failed, ${serves%%:*}" \
            "$reason"$'\n'"$serves."$'\n'"Host: $(uname -n). Log: $here/log"
    fi
    end "$result" "$serves." "$code"
}

# What a run that was killed has left behind.
clean_up() {
    local record git_folder
    for record in "$state"/*/record; do
        if [[ $record == "$here/record" ]] || ! grep -qsx 'outcome running' "$record"; then continue; fi
        sed 's/^outcome running$/outcome interrupted/' "$record" >"$record.part" && mv -fT "$record.part" "$record"
    done
    rm -rf releases/*.part backups/*.part current.part repo.part
    if [[ -d $repo ]] && git_folder=$(in_git rev-parse --absolute-git-dir 2>/dev/null); then
        # Nobody else uses it, and git of its own accord never takes away the locks of a dead one.
        find "$git_folder" -name '*.lock' -type f -delete
    fi
    find "$state" -mindepth 1 -maxdepth 1 -type d -name '*Z-*' | sort -r | tail -n +$((KEEP_RECORDS + 1)) |
        while IFS= read -r record; do rm -rf "$record"; done
}

# A switch that was cut off before anybody saw it work.
undo_unfinished() {
    [[ -e $state/switching ]] || return 0
    local before
    before=$(<"$state/switching")
    enter undo "Undoing a switch that was cut off"
    if [[ -n $before && -d releases/$before ]]; then
        switch_to "$before" || fail "The switch cannot be undone."
        left=$before
        restart || say "The restart failed."
        await_health "$left" '' || say "${left:0:12} is not healthy: $verdict"
    elif [[ -z $before ]]; then # it was the first deploy of all
        rm -f current
        left=''
    fi
    rm -f "$state/switching" current.back
}

# --- releases ------------------------------------------------------------------------------------------------------

live() { [[ -L current ]] && basename "$(readlink current)"; }

# The releases that were live, the one that became so last first.
lived() { find releases -mindepth 2 -maxdepth 2 -name .live -printf '%T@ %h\n' 2>/dev/null | sort -rn | sed 's|.*/||'; }

fetch() {
    if [[ ! -d $repo ]]; then
        [[ -n $VIX_DEPLOY_REMOTE ]] || fail "There is no clone yet: set VIX_DEPLOY_REMOTE to the repository's URL."
        if ! git init --quiet --bare "$repo.part" || ! mv -T "$repo.part" "$repo"; then
            fail "The clone cannot be made."
        fi
    fi
    [[ -z $VIX_DEPLOY_REMOTE ]] || in_git config remote.origin.url "$VIX_DEPLOY_REMOTE" ||
        fail "The clone cannot be told where its remote is."
    run "$FETCH_S" git -C "$repo" -c gc.autoDetach=false fetch --quiet --no-tags --force origin \
        "+refs/heads/$VIX_DEPLOY_BRANCH:refs/remotes/origin/$VIX_DEPLOY_BRANCH" ||
        fail "The branch $VIX_DEPLOY_BRANCH could not be fetched."
    commit=$(in_git rev-parse --verify --quiet "refs/remotes/origin/$VIX_DEPLOY_BRANCH^{commit}") ||
        fail "There is no branch $VIX_DEPLOY_BRANCH."
}

follows() { [[ -z $left ]] || in_git merge-base --is-ancestor "$left" "$commit" 2>/dev/null; }

extract() {
    local release=releases/$commit
    [[ ! -d $release ]] || return 0
    mkdir -p "$release.part" || return
    # shellcheck disable=SC2016 # the inner shell expands it
    run "$FETCH_S" bash -o pipefail -c 'git -C "$1" -c tar.umask=0022 archive "$2" | tar -x --no-same-owner -C "$3"' \
        extract "$repo" "$commit" "$release.part" || return
    printf '%s\n' "$commit" >"$release.part/.commit" || return
    # What `./vix add` has added to the environment of the release before goes on.
    if [[ -e current/.venv.added ]]; then cp current/.venv.added "$release.part/" || return; fi
    sync -f "$release.part" && mv -T "$release.part" "$release"
}

# environment_of FOLDER RELEASE: the shared environment that fits its locks; nothing where it has none.
environment_of() {
    local name locks=()
    for name in $(if [[ $1 == .venv ]]; then echo run && cat "$2/.venv.added" 2>/dev/null; else echo hook; fi); do
        [[ -e $2/requirements/$name.txt ]] || return 0
        locks+=("$2/requirements/$name.txt")
    done
    printf 'venvs/%s' "$(cat "${locks[@]}" | sha256sum | cut -c1-32)"
}

# A release takes an environment that is there, or makes one, which then is there for others. One that does not fit
# after all (another Python, say) `vix` replaces by one of the release's own, which stays in it.
prepare() {
    local release=releases/$commit folder shared
    for folder in .venv .venv-hook; do
        shared=$(environment_of "$folder" "$release")
        [[ -n $shared && ! -e $release/$folder && -e $shared/vix-stamp ]] || continue
        say "$folder is $shared, as the lock is the same."
        ln -sfn "../../$shared" "$release/$folder" || return
    done
    run "$PREPARE_S" "$release/vix" prepare || return
    for folder in .venv .venv-hook; do
        shared=$(environment_of "$folder" "$release")
        [[ -n $shared && -d $release/$folder && ! -L $release/$folder && ! -e $shared ]] || continue
        mkdir -p venvs && mv -T "$release/$folder" "$shared" && ln -s "../../$shared" "$release/$folder" || return
    done
}

# Whatever can be seen to be broken before the switch costs nobody a second.
examine() {
    local release=releases/$commit
    [[ -x $release/deploy.sh ]] || { say "It has no deploy.sh, so that it could never be replaced." && return 1; }
    run "$CHECK_S" bash -n "$release/deploy.sh" && run "$CHECK_S" "$release/deploy.sh" --help &&
        run "$CHECK_S" "$release/vix" --help && run "$CHECK_S" "$release/vix" hook --check
}

backup() {
    local database=$VIX_DATA/vix.db
    case ${VIX_DATABASE:-} in
        '') ;;
        sqlite:*) database=${VIX_DATABASE#sqlite:} ;;
        *) say "The database is a server's, which has backups of its own." && return 0 ;;
    esac
    [[ -e $database ]] || { say "There is no database yet." && return 0; }
    mkdir -p -m 700 backups && run "$BACKUP_S" python3 -c "$BACKUP" "$database" "backups/$id.db.part" &&
        mv -T "backups/$id.db.part" "backups/$id.db" || return
    find backups -name '*.db' | sort -r | tail -n +$((VIX_DEPLOY_KEEP + 1)) |
        while IFS= read -r database; do rm -f "$database"; done
}

switch_to() { ln -sfn "releases/$1" current.part && mv -fT current.part current; }

# Everything that going back needs is there before: on a full disk a rename still works.
go_live() {
    local tolerated
    tolerated=$(ask_health | python3 -c "$FAILING" 9>&-)
    if ! printf '%s\n' "$left" >"$state/switching" || ! sync "$state/switching"; then
        rm -f "$state/switching"
        fail "The switch cannot be written down."
    fi
    if [[ -n $left ]]; then ln -sfn "releases/$left" current.back || fail "The way back cannot be laid."; fi
    switched=yes
    switch_to "$commit" || fail "The link cannot be switched."
    restart || fail "The restart failed."
    # The first start makes a library of clips, and there is nothing to go back to yet.
    [[ -n $left ]] || ((VIX_DEPLOY_HEALTH_S *= 10))
    await_health "$commit" "$tolerated" || fail "${commit:0:12} is not healthy after $VIX_DEPLOY_HEALTH_S s: $verdict."
    rm -f "$state/switching" current.back
    switched=''
}

go_back() {
    if [[ -z $left ]]; then
        rm -f "$state/switching"
        verdict="nothing was live before"
        return 1
    fi
    enter back "Going back to ${left:0:12}"
    mv -fT current.back current || switch_to "$left"
    restart || say "The restart failed."
    await_health "$left" 'disk ffmpeg fonts'
    local result=$?
    rm -f "$state/switching"
    return "$result"
}

forget_old() {
    local name kept
    kept=$(printf '%s\n' "$(live)" "$(lived | head -n "$VIX_DEPLOY_KEEP")")
    for name in releases/*; do
        name=${name##*/}
        grep -qx "$name" <<<"$kept" || { rm -rf "releases/$name" && in_git update-ref -d "refs/releases/$name"; }
    done
    kept=$(for name in releases/*/.venv releases/*/.venv-hook; do readlink "$name"; done)
    for name in venvs/*; do
        grep -qx "../../$name" <<<"$kept" || rm -rf "$name"
    done
}

# --- the commands --------------------------------------------------------------------------------------------------

deploy() {
    local force=$1
    one_at_a_time
    begin deploy
    clean_up
    undo_unfinished
    enter fetch "Fetching $VIX_DEPLOY_BRANCH"
    fetch
    if [[ $commit == "$left" && ! -e releases/$commit/.live ]]; then left=''; fi # the first of all, and it failed
    [[ $commit != "$left" ]] || end nothing "${commit:0:12} is live already." "$DONE"
    [[ -n $force ]] || follows || fail "${commit:0:12} does not follow ${left:0:12}; --force deploys it all the same."
    enter extract "Laying out ${commit:0:12}"
    extract || fail "The release cannot be laid out: is the disk full?"
    enter prepare "Setting up its environment"
    prepare || fail "Its environment cannot be set up."
    enter examine "Trying its commands"
    examine || fail "Its commands do not work."
    enter backup "Backing up the database"
    backup || fail "The database cannot be backed up."
    enter switch "Switching from ${left:0:12} to ${commit:0:12}"
    go_live
    touch "releases/$commit/.live" || say "The release could not be marked; --rollback will not find it."
    in_git update-ref "refs/releases/$commit" "$commit" || say "git could not note it."
    forget_old
    end "done" "${commit:0:12} is live." "$DONE"
}

rollback() {
    local to=$1
    one_at_a_time
    begin rollback
    clean_up
    undo_unfinished
    [[ -n $left ]] || fail "Nothing is live."
    if [[ -n $to ]]; then
        commit=$(lived | grep -m 1 "^$to")
    else
        commit=$(lived | sed -n "/^$left\$/{n;p;q}")
    fi
    [[ -n $commit ]] || fail "There is no such release; --status lists them."
    [[ $commit != "$left" ]] || end nothing "${commit:0:12} is live already." "$DONE"
    enter switch "Going from ${left:0:12} back to ${commit:0:12}"
    go_live
    end "done" "${commit:0:12} is live; the next push is deployed as ever." "$DONE"
}

dry_run() {
    local tip
    one_at_a_time
    left=$(live)
    fail() { echo "$1" >&2 && exit "$FAILED"; }
    fetch
    tip=$commit
    echo "live: ${left:-nothing}"
    echo "tip of $VIX_DEPLOY_BRANCH: $tip"
    if [[ $tip == "$left" ]]; then
        echo "Nothing would be done."
    elif follows; then
        in_git log --oneline --max-count=20 "${left:+$left..}$tip"
    else
        echo "It does not follow what is live: only --force would deploy it."
    fi
}

show_status() {
    local folder
    echo "live: $(live || echo nothing)"
    lived | sed 's/^/release: /'
    ! is_asked_for || echo "A deploy is asked for."
    [[ ! -e $state/switching ]] || echo "A deploy is at work, or was cut off; the next one undoes its switch."
    find "$state" -mindepth 2 -maxdepth 2 -name record 2>/dev/null | sort -r | head -n 5 | while IFS= read -r folder; do
        sed -n 's/^\(kind\|outcome\|commit\|reason\|started_at\) \(..*\)/\2/p' "$folder" | paste -s -d ' '
    done
}

# .env of the base folder; the environment overrules it. Read, and not run as a script.
read_settings() {
    local line name value
    while IFS= read -r line || [[ -n $line ]]; do
        [[ $line =~ ^[[:space:]]*(export[[:space:]]+)?(VIX_DEPLOY_[A-Z_]+|VIX_HEALTH_URL|VIX_SOCKET|VIX_DATA|VIX_DATABASE)=(.*)$ ]] || continue
        name=${BASH_REMATCH[2]} value=${BASH_REMATCH[3]%$'\r'}
        [[ $value =~ ^\"(.*)\"$ || $value =~ ^\'(.*)\'$ ]] && value=${BASH_REMATCH[1]}
        [[ -n ${!name+set} ]] || printf -v "$name" %s "$value"
    done < <(cat "$base/.env" 2>/dev/null)
    : "${VIX_DEPLOY_REMOTE:=}" "${VIX_DEPLOY_BRANCH:=main}" "${VIX_DEPLOY_HEALTH_S:=30}" "${VIX_DEPLOY_STEADY_S:=2}"
    : "${VIX_DEPLOY_WAIT_S:=900}" "${VIX_DEPLOY_APART_S:=15}" "${VIX_DEPLOY_KEEP:=3}" "${VIX_DEPLOY_ALERT=current/vix alert}"
    : "${VIX_DEPLOY_REQUEST:=$state/request}" "${VIX_DEPLOY_RESTART:=systemctl restart vix-api vix-worker}" "${VIX_DATA:=data}"
    : "${VIX_HEALTH_URL:=http://127.0.0.1:8080/health}"
    for name in VIX_DEPLOY_HEALTH_S VIX_DEPLOY_STEADY_S VIX_DEPLOY_WAIT_S VIX_DEPLOY_APART_S \
        VIX_DEPLOY_KEEP; do
        [[ ${!name} =~ ^[0-9]{1,5}$ ]] || usage "$name must be a whole number."
    done
    [[ $VIX_DEPLOY_BRANCH =~ ^[A-Za-z0-9_][A-Za-z0-9._/-]*$ ]] || usage "VIX_DEPLOY_BRANCH must be the name of a branch."
    ((VIX_DEPLOY_KEEP >= 2)) || usage "VIX_DEPLOY_KEEP must be 2 or more, or there is nothing to go back to."
}

open_base() {
    local own
    own=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
    if [[ -z $base && $(basename "$(dirname "$own")") == releases ]]; then base=$(dirname "$(dirname "$own")"); fi
    [[ -n $base ]] || usage "Say where releases go: --base DIR or VIX_DEPLOY_BASE."
    base=$(readlink -m "$base")
    state=$base/deploys repo=$base/repo
    mkdir -p "$base/releases" "$state" 2>/dev/null || usage "$base cannot be written; run this as its owner."
    cd "$base" || usage "$base cannot be entered."
    [[ -L current || ! -e current ]] || usage "$base/current is no link; move it away."
    read_settings
    # Nobody is there to type a password.
    export GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND="${GIT_SSH_COMMAND:-ssh -oBatchMode=yes}"
}

main() {
    local command=deploy force='' to=''
    base=${VIX_DEPLOY_BASE:-}
    while (($#)); do
        case $1 in
            --help | -h) printf '%s\n' "$HELP" && exit "$DONE" ;;
            --base) base=${2:-} && shift ;;
            --force) force=yes ;;
            --rollback)
                command=rollback
                if [[ ${2:-} =~ ^[0-9a-f]{6,64}$ ]]; then to=$2 && shift; fi
                ;;
            --dry-run) command=dry_run ;;
            --status) command=show_status ;;
            *) usage "$1 is no option; --help lists them." ;;
        esac
        shift || usage "--base needs a folder."
    done
    open_base
    case $command in
        deploy) deploy "$force" ;;
        rollback) rollback "$to" ;;
        dry_run) dry_run ;;
        show_status) show_status ;;
    esac
}

# Read as a whole before it starts, as the file may be taken away meanwhile.
main "$@"
exit

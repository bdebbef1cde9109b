# Completes `cargo xtask …`; everything else goes on to what completed cargo before.
_atelier_program='@PROGRAM@'
if ! complete -p cargo >/dev/null 2>&1; then
    # bash-completion loads on demand what exists for a command.
    for _atelier_load in _comp_load _completion_loader; do
        declare -F "$_atelier_load" >/dev/null && "$_atelier_load" cargo >/dev/null 2>&1
    done
fi
if [ "$(complete -p cargo 2>/dev/null | sed -n 's/.* -F \([^ ]*\) .*/\1/p')" != _atelier_cargo ]; then
    _atelier_before=$(complete -p cargo 2>/dev/null | sed -n 's/.* -F \([^ ]*\) .*/\1/p')
fi

_atelier_cargo() {
    if [ "${COMP_WORDS[1]}" != xtask ] || [ "$COMP_CWORD" -lt 2 ]; then
        [ -n "$_atelier_before" ] && "$_atelier_before" "$@"
        return
    fi
    # bash takes --engine=local for three words.
    local words=() word joined='' number
    for ((number = 1; number <= COMP_CWORD; number++)); do
        word=${COMP_WORDS[number]}
        if [ "$word" = = ] || [ "$joined" = yes ]; then
            words[${#words[@]} - 1]+=$word
            [ "$word" = = ] && joined=yes || joined=''
        else
            words+=("$word")
        fi
    done
    # bash quotes the names of files, and goes on behind a folder, where it knows them as such.
    local files=''
    case " ${words[*]} " in
        *' export '* | *' adopt '*)
            files=yes
            words[-1]=${words[-1]//\\/}
            compopt -o filenames 2>/dev/null
            ;;
    esac
    local IFS=$'\n' found line
    found=$("$_atelier_program" completions --index $((${#words[@]} - 1)) -- "${words[@]}" 2>/dev/null)
    COMPREPLY=()
    for line in $found; do
        line=${line%%$'\t'*}
        # What is replaced begins behind the last = or :.
        [ "$joined" = yes ] || [[ ${words[-1]} == *=* ]] && line=${line#*=}
        [ -n "$files" ] && line=${line%/}
        COMPREPLY+=("$line")
    done
}
complete -F _atelier_cargo cargo

# Completes `cargo xtask …`; everything else goes on to what completes cargo.
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_atelier_program='@PROGRAM@'
if [[ ${_comps[cargo]} != _atelier_cargo ]]; then
    _atelier_before=${_comps[cargo]}
fi

_atelier_cargo() {
    if [[ $words[2] != xtask ]] || (( CURRENT < 3 )); then
        [[ -n $_atelier_before ]] && $_atelier_before "$@"
        return
    fi
    local line value
    local -a found
    for line in "${(@f)$("$_atelier_program" completions --index $((CURRENT - 2)) -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        value=${line%%$'\t'*}
        case $line in
            '') ;;
            *$'\t'*) found+=("${value//:/\\:}:${line#*$'\t'}") ;;
            *) found+=("${value//:/\\:}") ;;
        esac
    done
    _describe -V 'cargo xtask' found
}
compdef _atelier_cargo cargo

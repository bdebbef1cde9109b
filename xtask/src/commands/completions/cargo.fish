# Completes `cargo xtask …`, beside what completes cargo.
function __atelier_xtask
    set -l words (commandline -opc) (commandline -ct)
    '@PROGRAM@' completions --index (math (count $words) - 2) -- $words[2..-1] 2>/dev/null
end
function __atelier_is_xtask
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = xtask
end
complete -c cargo -n __atelier_is_xtask -f -a '(__atelier_xtask)'

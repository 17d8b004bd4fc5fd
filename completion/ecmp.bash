_ecmp() {
    local IFS=$' \t\n'
    local args cur prev cmd opts arg
    args=("${COMP_WORDS[@]}")
    cur="${COMP_WORDS[COMP_CWORD]}"
    prev="${COMP_WORDS[COMP_CWORD-1]}"
    opts="-h --help"

    args=("${args[@]:1}")
    for arg in "${args[@]}"; do
        case "$arg" in
            apply)
                cmd="apply"
                opts="$opts -h --help --netns --confirm --confirmed --undo --dry-run --proto --family --max-delete --force --json"
                break
                ;;
            check)
                cmd="check"
                opts="$opts -h --help"
                break
                ;;
            gc)
                cmd="gc"
                opts="$opts -h --help --network --data-dir --cache-dir --valid --all --json"
                break
                ;;
            install)
                cmd="install"
                opts="$opts -h --help --replace --check --restore --force --json"
                break
                ;;
            lint)
                cmd="lint"
                opts="$opts -h --help --json"
                break
                ;;
            ls)
                cmd="ls"
                opts="$opts -h --help --json"
                break
                ;;
            metrics)
                cmd="metrics"
                opts="$opts -h --help"
                break
                ;;
            monitor)
                cmd="monitor"
                opts="$opts -h --help --netns --count -t --timestamp --json"
                break
                ;;
            plan)
                cmd="plan"
                opts="$opts -h --help --ifname --args --ipam-result --json"
                break
                ;;
            pool)
                cmd="pool"
                opts="$opts -h --help"
                args=("${args[@]:1}")
                for arg in "${args[@]}"; do
                    case "$arg" in
                        show)
                            cmd="$cmd show"
                            opts="$opts -h --help --json"
                            break
                            ;;
                        free)
                            cmd="$cmd free"
                            opts="$opts -h --help --node --yes"
                            break
                            ;;
                        import)
                            cmd="$cmd import"
                            opts="$opts -h --help --dry-run"
                            break
                            ;;
                        reclaim)
                            cmd="$cmd reclaim"
                            opts="$opts -h --help --cache-dir"
                            break
                            ;;
                    esac
                done
                break
                ;;
            repair)
                cmd="repair"
                opts="$opts -h --help --dry-run --ignore-health"
                break
                ;;
            repl)
                cmd="repl"
                opts="$opts -h --help --netns --host --batch --echo"
                break
                ;;
            rule)
                cmd="rule"
                opts="$opts -h --help"
                args=("${args[@]:1}")
                for arg in "${args[@]}"; do
                    case "$arg" in
                        check)
                            cmd="$cmd check"
                            opts="$opts -h --help --ifname --args --ipam-result --trusted --json"
                            break
                            ;;
                    esac
                done
                break
                ;;
            run)
                cmd="run"
                opts="$opts -h --help"
                break
                ;;
            show)
                cmd="show"
                opts="$opts -h --help --netns --table --family --stats --json"
                break
                ;;
            spread)
                cmd="spread"
                opts="$opts -h --help --netns --flows --src --proto --dport --iif --mark --measured --json"
                break
                ;;
            try)
                cmd="try"
                opts="$opts -h --help --ifname --keep"
                break
                ;;
            version)
                cmd="version"
                opts="$opts -h --help --json"
                break
                ;;
            watch)
                cmd="watch"
                opts="$opts -h --help --netns --probe --interval --multiplier --rise --hold --min --target --source --table --once --dry-run --restore --status --json"
                break
                ;;
        esac
    done

    case "$cmd" in
        '')
            COMPREPLY=($(compgen -W "apply check gc install lint ls metrics monitor plan pool repair repl rule run show spread try version watch" -- "$cur"))
            ;;
        'apply')
            case "$prev" in
                --netns)
                    COMPREPLY=($(compgen -W "$(ls /run/netns 2>/dev/null)" -- "$cur"))
                    return 0
                    ;;
                --confirm)
                    COMPREPLY=($(compgen -W "" -- "$cur"))
                    return 0
                    ;;
                --proto)
                    COMPREPLY=($(compgen -W "boot static kernel ra dhcp zebra bird bgp ospf isis" -- "$cur"))
                    return 0
                    ;;
                --family)
                    COMPREPLY=($(compgen -W "4 6 both" -- "$cur"))
                    return 0
                    ;;
                --max-delete)
                    COMPREPLY=($(compgen -f -- "$cur"))
                    return 0
                    ;;
            esac

            ;;
        'gc')
            case "$prev" in
                --network)
                    COMPREPLY=($(compgen -W "" -- "$cur"))
                    return 0
                    ;;
                --data-dir)
                    COMPREPLY=($(compgen -f -- "$cur"))
                    return 0
                    ;;
                --cache-dir)
                    COMPREPLY=($(compgen -f -- "$cur"))
                    return 0
                    ;;
                --valid)
                    COMPREPLY=($(compgen -W "" -- "$cur"))
                    return 0
                    ;;
            esac

            ;;
        'install')
            case "$prev" in
                --replace)
                    COMPREPLY=($(compgen -f -- "$cur"))
                    return 0
                    ;;
            esac

            ;;
        'monitor')
            case "$prev" in
                --netns)
                    COMPREPLY=($(compgen -W "$(ls /run/netns 2>/dev/null)" -- "$cur"))
                    return 0
                    ;;
                --count)
                    COMPREPLY=($(compgen -W "" -- "$cur"))
                    return 0
                    ;;
            esac
            COMPREPLY=($(compgen -W "route nexthop link addr neigh rule" -- "$cur"))
            ;;
        'plan')
            case "$prev" in
                --ifname)
                    COMPREPLY=($(compgen -W "" -- "$cur"))
                    return 0
                    ;;
                --args)
                    COMPREPLY=($(compgen -W "" -- "$cur"))
                    return 0
                    ;;
                --ipam-result)
                    COMPREPLY=($(compgen -f -- "$cur"))
                    return 0
                    ;;
            esac

            ;;
        'pool')
            COMPREPLY=($(compgen -W "show free import reclaim" -- "$cur"))
            ;;
        'pool free')
            case "$prev" in
                --node)
                    COMPREPLY=($(compgen -f -- "$cur"))
                    return 0
                    ;;
            esac

            ;;
        'pool reclaim')
            case "$prev" in
                --cache-dir)
                    COMPREPLY=($(compgen -f -- "$cur"))
                    return 0
                    ;;
            esac

            ;;
        'repl')
            case "$prev" in
                --netns)
                    COMPREPLY=($(compgen -W "$(ls /run/netns 2>/dev/null)" -- "$cur"))
                    return 0
                    ;;
            esac

            ;;
        'rule')
            COMPREPLY=($(compgen -W "check" -- "$cur"))
            ;;
        'rule check')
            case "$prev" in
                --ifname)
                    COMPREPLY=($(compgen -W "" -- "$cur"))
                    return 0
                    ;;
                --args)
                    COMPREPLY=($(compgen -W "" -- "$cur"))
                    return 0
                    ;;
                --ipam-result)
                    COMPREPLY=($(compgen -f -- "$cur"))
                    return 0
                    ;;
            esac

            ;;
        'show')
            case "$prev" in
                --netns)
                    COMPREPLY=($(compgen -W "$(ls /run/netns 2>/dev/null)" -- "$cur"))
                    return 0
                    ;;
                --table)
                    COMPREPLY=($(compgen -W "main local default all" -- "$cur"))
                    return 0
                    ;;
                --family)
                    COMPREPLY=($(compgen -W "4 6" -- "$cur"))
                    return 0
                    ;;
            esac

            ;;
        'spread')
            case "$prev" in
                --netns)
                    COMPREPLY=($(compgen -W "$(ls /run/netns 2>/dev/null)" -- "$cur"))
                    return 0
                    ;;
                --flows)
                    COMPREPLY=($(compgen -W "" -- "$cur"))
                    return 0
                    ;;
                --src)
                    COMPREPLY=($(compgen -W "" -- "$cur"))
                    return 0
                    ;;
                --proto)
                    COMPREPLY=($(compgen -W "udp tcp" -- "$cur"))
                    return 0
                    ;;
                --dport)
                    COMPREPLY=($(compgen -W "" -- "$cur"))
                    return 0
                    ;;
                --iif)
                    COMPREPLY=($(compgen -W "$(ls /sys/class/net)" -- "$cur"))
                    return 0
                    ;;
                --mark)
                    COMPREPLY=($(compgen -W "" -- "$cur"))
                    return 0
                    ;;
            esac

            ;;
        'try')
            case "$prev" in
                --ifname)
                    COMPREPLY=($(compgen -W "" -- "$cur"))
                    return 0
                    ;;
            esac

            ;;
        'watch')
            case "$prev" in
                --netns)
                    COMPREPLY=($(compgen -W "$(ls /run/netns 2>/dev/null)" -- "$cur"))
                    return 0
                    ;;
                --probe)
                    COMPREPLY=($(compgen -W "icmp neigh bfd none" -- "$cur"))
                    return 0
                    ;;
                --interval)
                    COMPREPLY=($(compgen -f -- "$cur"))
                    return 0
                    ;;
                --multiplier)
                    COMPREPLY=($(compgen -f -- "$cur"))
                    return 0
                    ;;
                --rise)
                    COMPREPLY=($(compgen -f -- "$cur"))
                    return 0
                    ;;
                --hold)
                    COMPREPLY=($(compgen -f -- "$cur"))
                    return 0
                    ;;
                --min)
                    COMPREPLY=($(compgen -f -- "$cur"))
                    return 0
                    ;;
                --target)
                    COMPREPLY=($(compgen -f -- "$cur"))
                    return 0
                    ;;
                --source)
                    COMPREPLY=($(compgen -f -- "$cur"))
                    return 0
                    ;;
                --table)
                    COMPREPLY=($(compgen -W "main local default all" -- "$cur"))
                    return 0
                    ;;
            esac

            ;;
    esac

    if [[ "$cur" = -* ]]; then
        COMPREPLY=($(compgen -W "$opts" -- "$cur"))
    fi
}

complete -F _ecmp -o bashdefault -o default ecmp

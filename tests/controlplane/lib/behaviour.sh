# jq expressions over a pod that the Stages select by. README.md has the table of words.

# The annotation without its parameter, else what an image's name says, else `ready`. What exits is told apart by
# whether the pod may be restarted: then it crashes again and again.
behaviour='(. as $pod
  | (.metadata.annotations["sim.escale.dev/behaviour"]
     // ([.spec.containers[].image | capture("-(?<word>slow|never-ready|crash|pull-error)").word] | first)
     // "ready")
  | if . == "exit=0" then "ready" else (split("=") | first) end
  | if . == "slow" then "ready-after"
    elif . != "crash" and . != "exit" then .
    elif $pod.spec.restartPolicy == "Never" then "exit"
    else "crash" end)'

# The parameter of `ready-after` and `crash-after`.
after='(.metadata.annotations["sim.escale.dev/behaviour"] // "" | split("=") | .[1]) // "5s"'

# Prints the Stages with the expressions and the shared parts filled in. An expression goes on one line, where YAML
# wants it; a part keeps the depth of the line that asks for it.
stages() {
    local file line part
    behaviour=$(tr -s '\n ' ' ' <<<"$behaviour")
    for file in "$here"/config/stages/*.yaml; do
        echo "---"
        while IFS= read -r line; do
            if [[ $line =~ ^( *)@([a-z]+)@$ ]]; then
                sed "s/^/${BASH_REMATCH[1]}/" "$here/config/parts/${BASH_REMATCH[2]}.tpl"
                continue
            fi
            line=${line//@BEHAVIOUR@/"$behaviour"}
            echo "${line//@AFTER@/"$after"}"
        done <"$file"
    done
}

# jq expressions over a pod that the Stages select by. README.md has the table of words.

# The annotation, else the end of an image's tag, else `ready`. What exits is told apart by whether the pod may
# be restarted: then it crashes again and again.
behaviour='(. as $pod
  | (.metadata.annotations["sim.escale.dev/behaviour"]
     // ([.spec.containers[].image | capture("[-:](?<word>slow|never-ready|crash-later|crash|pull-error|exit-[0-9]+)(-[0-9]+s)?(@.*)?$").word] | first)
     // "ready")
  | if . == "exit-0" then "ready"
    elif . != "crash" and (startswith("exit-") | not) then .
    elif $pod.spec.restartPolicy == "Never" then "exit"
    else "crash" end)'

after='.metadata.annotations["sim.escale.dev/after"]
  // ([.spec.containers[].image | capture("(slow|crash-later)-(?<after>[0-9]+s)(@.*)?$").after] | first)
  // "5s"'

# Prints the Stages with the expressions filled in, each on one line as YAML wants it here.
stages() {
    local text file
    for file in "$here"/config/stages/*.yaml; do
        text=$(<"$file")
        text=${text//@BEHAVIOUR@/"$(tr -s '\n ' ' ' <<<"$behaviour")"}
        echo "---"
        echo "${text//@AFTER@/"$(tr -s '\n ' ' ' <<<"$after")"}"
    done
}

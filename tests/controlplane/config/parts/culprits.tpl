{{ $now := Now }}
{{ $pod := . }}
{{ $told := or (index (or .metadata.annotations dict) "sim.escale.dev/behaviour") "" }}
{{ $exitCode := or (regexFind "[0-9]+$" $told) "1" }}
{{ $culprits := list }}
{{ range .spec.containers }}{{ if or $told (regexMatch "-(slow|never-ready|crash|pull-error)" .image) }}{{ $culprits = append $culprits .name }}{{ end }}{{ end }}
{{ $unready := printf "containers with unready status: [%s]" (join " " $culprits) }}

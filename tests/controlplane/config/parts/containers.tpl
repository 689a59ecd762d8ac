containerStatuses:
{{ range $index, $container := .spec.containers }}
{{ $restarts := 0 }}
{{ with $pod.status.containerStatuses }}{{ $restarts = (index . $index).restartCount }}{{ end }}
{{ $culprit := has $container.name $culprits }}
- name: {{ $container.name | Quote }}
  image: {{ $container.image | Quote }}
  imageID: {{ $container.image | Quote }}
  {{ if not $culprit }}
  ready: true
  started: true
  restartCount: 0
  state: {running: {startedAt: {{ $now | Quote }}}}
  {{ end }}

# The image of the application: web, backup, restore.
#
#   packer init packer/flask
#   packer build -var image_tag=1.0 packer/flask
packer {
  required_plugins {
    docker = {
      # Exactly this one: 1.1.2 was published without packages, and later ones
      # need Packer 1.14 (https://github.com/hashicorp/packer-plugin-docker/issues/220).
      version = "= 1.1.1"
      source  = "github.com/hashicorp/docker"
    }
  }
}

variable "image_tag" {
  type    = string
  default = "1.0"
}

variable "base_image" {
  type    = string
  default = "python:3.13-slim"
}

# Asking the registry for a base image that is already here costs a request,
# and those are counted.
variable "pull" {
  type    = bool
  default = true
}

locals {
  # Absolute, since file() starts from here and provisioners from where you are.
  here    = abspath(path.root)
  app     = abspath("${path.root}/../../app")
  package = sort(fileset(local.app, "pra/**/*.{py,html,sql}"))
  # Everything that decides what the image holds. The label carries the hash of
  # it, so that an unchanged image is neither built nor imported again.
  inputs = concat(
    [var.base_image],
    [sha256(file("${local.here}/flask.pkr.hcl"))],
    [sha256(file("${local.app}/requirements.txt"))],
    [for name in local.package : "${sha256(file("${local.app}/${name}"))} ${name}"],
  )
  inputs_hash = sha256(join("\n", local.inputs))
}

source "docker" "flask" {
  image  = var.base_image
  pull   = var.pull
  commit = true
  changes = [
    "LABEL org.opencontainers.image.title=pra/flask-sqlite",
    "LABEL atelier-pra.inputs=${local.inputs_hash}",
    "ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp",
    "WORKDIR /app",
    "USER 10001:10001",
    "EXPOSE 8080",
    "CMD [\"python\", \"-m\", \"pra\", \"serve\"]",
  ]
}

build {
  sources = ["source.docker.flask"]

  provisioner "shell" {
    inline = ["mkdir -p /app"]
  }

  provisioner "file" {
    sources     = ["${local.app}/requirements.txt", "${local.app}/pra"]
    destination = "/app/"
  }

  provisioner "shell" {
    inline_shebang = "/bin/sh -eu"
    inline = [
      "python -m pip install --quiet --no-cache-dir --no-compile --require-hashes --root-user-action=ignore -r /app/requirements.txt",
      "find /app -name __pycache__ -type d -prune -exec rm -rf {} +",
      # The root file system is read-only at run time: what is not compiled now
      # is compiled again at each start.
      "python -m compileall -q -j 0 /app/pra $(python -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))')",
      "echo 'pra:x:10001:10001::/tmp:/usr/sbin/nologin' >> /etc/passwd",
      "echo 'pra:x:10001:' >> /etc/group",
      "chmod -R a=rX /app",
    ]
  }

  post-processor "docker-tag" {
    repository = "pra/flask-sqlite"
    tags       = [var.image_tag]
  }
}

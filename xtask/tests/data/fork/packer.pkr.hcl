packer {
  required_plugins {
    docker = {
      source  = "github.com/hashicorp/docker"
      version = ">= 1.1.0"
    }
  }
}

variable "image_tag" {
  type    = string
  default = "1.0"
}

source "docker" "app" {
  image  = "python:3.13-slim"
  commit = true
}

build {
  sources = ["source.docker.app"]

  provisioner "file" {
    source      = "app/"
    destination = "/srv"
  }

  provisioner "shell" {
    inline = ["pip install --no-cache-dir -r /srv/requirements.txt"]
  }

  post-processor "docker-tag" {
    repository = "pra/flask-sqlite"
    tags       = [var.image_tag]
  }
}

# Nginx with our own page.
#
#   packer init packer/nginx
#   packer build -var image_tag=1.0 packer/nginx
packer {
  required_plugins {
    docker = {
      # See packer/flask for why exactly this one.
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
  default = "nginx:alpine"
}

variable "pull" {
  type    = bool
  default = true
}

locals {
  here = abspath(path.root)
  # Everything that decides what the image holds; see packer/flask.
  inputs = [
    var.base_image,
    sha256(file("${local.here}/nginx.pkr.hcl")),
    sha256(file("${local.here}/index.html")),
  ]
  inputs_hash = sha256(join("\n", local.inputs))
}

source "docker" "nginx" {
  image  = var.base_image
  pull   = var.pull
  commit = true
  changes = [
    "LABEL org.opencontainers.image.title=atelier/nginx",
    "LABEL atelier-pra.inputs=${local.inputs_hash}",
    "EXPOSE 80",
    "CMD [\"nginx\", \"-g\", \"daemon off;\"]",
  ]
}

build {
  sources = ["source.docker.nginx"]

  provisioner "file" {
    source      = "${local.here}/index.html"
    destination = "/usr/share/nginx/html/index.html"
  }

  provisioner "shell" {
    inline = ["chmod 644 /usr/share/nginx/html/index.html"]
  }

  post-processor "docker-tag" {
    repository = "atelier/nginx"
    tags       = [var.image_tag]
  }
}

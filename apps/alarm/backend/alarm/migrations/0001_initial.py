import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("kind", models.CharField(max_length=20)),
                ("detail", models.CharField(blank=True, max_length=120)),
            ],
            options={"ordering": ("-id",)},
        ),
        migrations.CreateModel(
            name="Integration",
            fields=[
                ("name", models.SlugField(primary_key=True, serialize=False)),
                ("enabled", models.BooleanField(default=True)),
                ("settings", models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name="Panel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("disarmed", "disarmed"),
                            ("arming", "arming"),
                            ("armed", "armed"),
                            ("pending", "pending"),
                            ("triggered", "triggered"),
                        ],
                        default="disarmed",
                        max_length=20,
                    ),
                ),
                (
                    "mode",
                    models.CharField(blank=True, choices=[("home", "home"), ("away", "away")], max_length=10),
                ),
                ("deadline", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Sensor",
            fields=[
                ("key", models.SlugField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=60)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("door", "door"),
                            ("window", "window"),
                            ("motion", "motion"),
                            ("smoke", "smoke"),
                        ],
                        max_length=10,
                    ),
                ),
                ("enabled", models.BooleanField(default=True)),
                ("active", models.BooleanField(default=False)),
                ("position", models.PositiveSmallIntegerField(default=0)),
            ],
            options={"ordering": ("position", "key")},
        ),
    ]
